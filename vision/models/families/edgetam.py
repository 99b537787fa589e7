"""EdgeTAM in transformers, from a folder as the hub has them."""

from pathlib import Path

from transformers import EdgeTamModel, Sam2Processor

from vision.models.base import MaskGenerator, ModelIdentity, PromptSegmenter
from vision.models.families import Family
from vision.models.pretrained import load_network, load_processor
from vision.models.sam2_video import load_edgetam_follower
from vision.models.spec import ModelSpec
from vision.models.transformers_sam import TransformersSam
from vision.models.video import VideoSegmenter


def load(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> TransformersSam:
    """For points, boxes and everything in pictures."""
    network = load_network(EdgeTamModel, folder, spec, identity)
    processor = load_processor(Sam2Processor, folder, spec)
    return TransformersSam(network, processor, identity=identity)


FAMILY = Family(
    loaders={PromptSegmenter: load, MaskGenerator: load, VideoSegmenter: load_edgetam_follower}
)
