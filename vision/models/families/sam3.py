"""SAM 3 in transformers, from one folder as the hub has it.

Two networks with the same image encoder: the detector for words and examples, the tracker for
points, boxes and everything. Each is loaded when it is asked for.
"""

from pathlib import Path

from transformers import Sam3Model, Sam3Processor, Sam3TrackerModel, Sam3TrackerProcessor

from vision.models.base import ConceptSegmenter, MaskGenerator, ModelIdentity, PromptSegmenter
from vision.models.families import Family
from vision.models.pretrained import load_network, load_processor
from vision.models.sam2_video import load_sam3_follower
from vision.models.sam3_video import load_sam3_word_follower
from vision.models.spec import ModelSpec
from vision.models.transformers_concepts import TransformersConcepts
from vision.models.transformers_sam import TransformersSam
from vision.models.video import ConceptFollower, VideoSegmenter


def load_concepts(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> TransformersConcepts:
    """For words and examples in pictures."""
    network = load_network(Sam3Model, folder, spec, identity)
    processor = load_processor(Sam3Processor, folder, spec)
    return TransformersConcepts(network, processor, identity=identity)


def load_tracker(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> TransformersSam:
    """For points, boxes and everything in pictures."""
    network = load_network(Sam3TrackerModel, folder, spec, identity)
    processor = load_processor(Sam3TrackerProcessor, folder, spec)
    return TransformersSam(network, processor, identity=identity)


FAMILY = Family(
    loaders={
        ConceptSegmenter: load_concepts,
        PromptSegmenter: load_tracker,
        MaskGenerator: load_tracker,
        VideoSegmenter: load_sam3_follower,
        ConceptFollower: load_sam3_word_follower,
    }
)
