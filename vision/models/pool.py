"""Models in memory: loaded on first use, shared, and the least recently used leave first."""

import threading
from collections import OrderedDict

from vision.errors import InvalidRequest
from vision.models.base import Detector, MaskGenerator, Model, PromptSegmenter
from vision.models.catalogue import Catalogue
from vision.models.device import Placement
from vision.models.families import load_model
from vision.models.weights import WeightsStore


class ModelPool:
    """Ready models by name, in at most `memory_bytes`; the one asked for always fits.

    Safe for threads; two threads never load at once.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        weights: WeightsStore,
        *,
        device: str,
        precision: str,
        memory_bytes: int,
    ) -> None:
        self.catalogue = catalogue
        self.placement = Placement.chosen(device, precision)
        self._weights = weights
        self._memory_bytes = memory_bytes
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names in memory, the least recently used first."""
        with self._lock:
            return tuple(self._models)

    def detector(self, name: str) -> Detector:
        """Raises UnknownModel, WeightsMissing, WeightsMismatch, InvalidRequest."""
        model = self._model(name)
        if not isinstance(model, Detector):
            raise InvalidRequest(f"{name} doesn't detect")
        return model

    def prompt_segmenter(self, name: str) -> PromptSegmenter:
        """Raises as `detector` does."""
        model = self._model(name)
        if not isinstance(model, PromptSegmenter):
            raise InvalidRequest(f"{name} doesn't segment what is pointed at")
        return model

    def mask_generator(self, name: str) -> MaskGenerator:
        """Raises as `detector` does."""
        model = self._model(name)
        if not isinstance(model, MaskGenerator):
            raise InvalidRequest(f"{name} doesn't segment everything")
        return model

    def _model(self, name: str) -> Model:
        spec = self.catalogue[name]
        with self._lock:
            model = self._models.pop(name, None)
            # A file that was replaced since is another model.
            if model is None or model.identity.weights_sha256 != self._weights.sha256(spec):
                model = load_model(spec, self._weights, self.placement)
            self._models[name] = model
            self._make_room()
        return model

    def _make_room(self) -> None:
        while len(self._models) > 1 and self._total() > self._memory_bytes:
            self._models.popitem(last=False)

    def _total(self) -> int:
        return sum(model.memory_bytes for model in self._models.values())
