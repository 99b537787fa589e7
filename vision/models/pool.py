"""Models in memory: loaded on first use, shared, and the least recently used leave first."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from vision.errors import VisionError
from vision.models.base import Model, PromptSegmenter
from vision.models.batch_sizes import BatchSizes
from vision.models.catalogue import Catalogue
from vision.models.device import Placement
from vision.models.embedding_store import EmbeddingStore
from vision.models.families import Loader
from vision.models.loading import loader_for, model_from
from vision.models.spec import ModelSpec
from vision.models.weights import WeightsStore

M = TypeVar("M", bound=Model)

Version: TypeAlias = tuple[ModelSpec, str]
"""The catalogue's entry, and one hash of all its files."""


@dataclass(frozen=True, slots=True)
class _Held:
    model: Model
    version: Version


class ModelPool:
    """Ready models, in at most `memory_bytes`; the one asked for always fits.

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
        cpu_precision: str = "float32",
        batch_sizes: BatchSizes | None = None,
        embedding_memory_bytes: int = 0,
        compiles: bool = False,
    ) -> None:
        """`batch_sizes` None: what is found is forgotten with the pool. `embedding_memory_bytes` is
        for embeddings of images, beside the models; with 0 each prompt computes its own.
        `compiles`: what gains by it on a GPU is compiled there when it is first used.
        """
        self.catalogue = catalogue
        self.placement = Placement.chosen(device, precision, cpu_precision=cpu_precision)
        self._batch_sizes = batch_sizes or BatchSizes()
        self._compiles = compiles and self.placement.device != "cpu"
        self._embeddings = EmbeddingStore(embedding_memory_bytes)
        self._weights = weights
        self._memory_bytes = memory_bytes
        self._models: OrderedDict[tuple[str, Loader], _Held] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names in memory, the least recently used first."""
        with self._lock:
            return tuple(name for name, _ in self._models)

    def get(self, name: str, interface: type[M]) -> M:
        """The model of that name as what is wanted, such as a Detector.

        One network serves all interfaces that its family loads by the same function. Raises
        UnknownModel, LicenseNotAccepted, WeightsMissing, WeightsMismatch, MissingDependency,
        InvalidRequest.
        """
        spec = self.catalogue[name]
        loader = loader_for(spec, interface)
        with self._lock:
            held = self._current(spec, loader) or self._loaded(spec, interface, loader)
            self._models[name, loader] = held
            self._make_room()
        assert isinstance(held.model, interface), "one loader gives one kind of model"
        return held.model

    def _current(self, spec: ModelSpec, loader: Loader) -> _Held | None:
        """Taken out. What was replaced since is another model: weights, configuration, labels."""
        held = self._models.pop((spec.name, loader), None)
        if held is None or self._is_current(held, spec):
            return held
        self._let_go(held)
        return None

    def _is_current(self, held: _Held, spec: ModelSpec) -> bool:
        try:
            return held.version == self._version(spec)
        except VisionError:  # loading says which
            return False

    def _version(self, spec: ModelSpec) -> Version:
        self._weights.path(spec)  # terms that were withdrawn since end it too
        return spec, self._weights.content_sha256(spec)

    def _loaded(self, spec: ModelSpec, interface: type[Model], loader: Loader) -> _Held:
        version = self._version(spec)
        path, sha256 = self._weights.verified(spec)
        model = model_from(spec, interface, loader, path, sha256=sha256, placement=self.placement)
        model.batch_sizes = self._batch_sizes
        model.is_compiled = self._compiles
        if isinstance(model, PromptSegmenter):
            model.embeddings = self._embeddings
        return _Held(model, version)

    def _make_room(self) -> None:
        while len(self._models) > 1 and self._total() > self._memory_bytes:
            _, held = self._models.popitem(last=False)
            self._let_go(held)

    def _let_go(self, held: _Held) -> None:
        """Whoever still has the model goes on with it, and no longer fills the store."""
        if isinstance(held.model, PromptSegmenter):
            held.model.embeddings = EmbeddingStore(memory_bytes=0)
            self._embeddings.forget(held.model.identity)

    def _total(self) -> int:
        return sum(held.model.memory_bytes for held in self._models.values())
