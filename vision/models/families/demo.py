"""The two models in the package."""

from pathlib import Path

from vision.models.base import Detector, MaskGenerator, ModelIdentity, PromptSegmenter
from vision.models.demo_networks import build_demo_maskrcnn, build_demo_sam
from vision.models.families import Family
from vision.models.segment_anything import SegmentAnything
from vision.models.spec import ModelSpec
from vision.models.state import load_state, read_state, what_should_fit
from vision.models.torchvision_detection import TorchvisionDetector


def load_detector(spec: ModelSpec, file: Path, identity: ModelIdentity) -> TorchvisionDetector:
    """With as many classes as the entry has labels."""
    network = build_demo_maskrcnn(len(spec.labels))
    load_state(network, read_state(file), what=what_should_fit(spec))
    return TorchvisionDetector(network, identity=identity, labels=spec.labels)


def load_segmenter(spec: ModelSpec, file: Path, identity: ModelIdentity) -> SegmentAnything:
    """For points, boxes and everything."""
    network = build_demo_sam()
    load_state(network, read_state(file), what=what_should_fit(spec))
    return SegmentAnything(network, identity=identity)


FAMILY = Family(
    loaders={
        Detector: load_detector,
        PromptSegmenter: load_segmenter,
        MaskGenerator: load_segmenter,
    }
)
