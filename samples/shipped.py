"""The shipped weight files, and the demo networks with them."""

from pathlib import Path

from segment_anything.modeling import Sam
from torchvision.models.detection import MaskRCNN

from samples.training.weights import load_half
from vision.models.demo_networks import build_demo_maskrcnn, build_demo_sam

SHIPPED = Path(__file__).parent.parent / "vision" / "models" / "shipped"
DETECTOR_FILE = SHIPPED / "demo_maskrcnn.safetensors"
SEGMENTER_FILE = SHIPPED / "demo_sam.safetensors"


def shipped_maskrcnn() -> MaskRCNN:
    """In eval mode, float32."""
    return load_half(build_demo_maskrcnn(), DETECTOR_FILE)


def shipped_sam(file: Path = SEGMENTER_FILE) -> Sam:
    """In eval mode, float32."""
    return load_half(build_demo_sam(), file)
