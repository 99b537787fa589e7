"""Every model family and how its networks are made from a catalogue entry and tensors."""

from collections.abc import Callable, Mapping

from segment_anything import sam_model_registry

from vision.errors import OperatorError
from vision.models import torchvision_networks
from vision.models.base import Model, ModelIdentity
from vision.models.demo_networks import build_demo_maskrcnn, build_demo_sam
from vision.models.device import Placement
from vision.models.segment_anything import SegmentAnything
from vision.models.spec import ModelSpec
from vision.models.state import State, load_state, read_state
from vision.models.torchvision_detection import TorchvisionDetector
from vision.models.weights import WeightsStore

Family = Callable[[ModelSpec, State, ModelIdentity], Model]

OFFICIAL_SAM = "sam_"
"""Our names are upstream's registry keys after this."""


def _torchvision(spec: ModelSpec, state: State, identity: ModelIdentity) -> Model:
    network = torchvision_networks.load(
        spec.builder,
        state,
        num_classes=len(spec.labels),
        is_published=spec.like is None,
        what=_what(spec),
    )
    return TorchvisionDetector(network, identity=identity, labels=spec.labels)


def _segment_anything(spec: ModelSpec, state: State, identity: ModelIdentity) -> Model:
    network = sam_model_registry[spec.builder.removeprefix(OFFICIAL_SAM)](checkpoint=None)
    load_state(network, state, what=_what(spec))
    return SegmentAnything(network, identity=identity)


def _demo(spec: ModelSpec, state: State, identity: ModelIdentity) -> Model:
    if spec.builder == "demo_sam":
        sam = build_demo_sam()
        load_state(sam, state, what=_what(spec))
        return SegmentAnything(sam, identity=identity)
    network = build_demo_maskrcnn(len(spec.labels))
    load_state(network, state, what=_what(spec))
    return TorchvisionDetector(network, identity=identity, labels=spec.labels)


FAMILIES: Mapping[str, Family] = {
    "torchvision": _torchvision,
    "segment_anything": _segment_anything,
    "demo": _demo,
}


def model_from_state(spec: ModelSpec, state: State, *, sha256: str, placement: Placement) -> Model:
    """A model in memory, ready. Raises WeightsMismatch when the tensors don't fit."""
    if spec.family not in FAMILIES:
        raise OperatorError(f"{spec.name}: this version runs no family named {spec.family!r}")
    identity = ModelIdentity(spec.name, sha256, placement.device, placement.precision)
    return FAMILIES[spec.family](spec, state, identity)


def load_model(spec: ModelSpec, weights: WeightsStore, placement: Placement) -> Model:
    """From the verified file. Raises WeightsMissing, WeightsMismatch."""
    path, sha256 = weights.verified(spec)
    return model_from_state(spec, read_state(path), sha256=sha256, placement=placement)


def _what(spec: ModelSpec) -> str:
    return f"{spec.weights.file} doesn't fit {spec.builder} with {len(spec.labels)} class ids"
