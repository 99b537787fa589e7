"""segment-anything 1.0 as published, from one file of weights each."""

from pathlib import Path

from segment_anything import sam_model_registry

from vision.models.base import MaskGenerator, ModelIdentity, PromptSegmenter
from vision.models.families import Family
from vision.models.segment_anything import SegmentAnything
from vision.models.spec import ModelSpec
from vision.models.state import load_state, read_state, what_should_fit

OFFICIAL_SAM = "sam_"
"""Our names are upstream's registry keys after this."""


def load(spec: ModelSpec, file: Path, identity: ModelIdentity) -> SegmentAnything:
    """The network that the entry names, with these weights."""
    network = sam_model_registry[spec.builder.removeprefix(OFFICIAL_SAM)](checkpoint=None)
    load_state(network, read_state(file), what=what_should_fit(spec))
    return SegmentAnything(network, identity=identity)


FAMILY = Family(loaders={PromptSegmenter: load, MaskGenerator: load})
