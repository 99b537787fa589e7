"""DINOv3, its vision transformers and its ConvNeXts, as transformers runs it: pictures to vectors.

The vector of a ConvNeXt is the mean of the last stage over the picture, after the layer norm:
upstream calls it the CLS token too.
"""

from pathlib import Path

from transformers import AutoImageProcessor, DINOv3ConvNextModel, DINOv3ViTModel

from vision.models.base import Embedder, ModelIdentity
from vision.models.families import Family
from vision.models.picture_embedding import TransformersEmbedder
from vision.models.pretrained import load_network, load_processor
from vision.models.spec import ModelSpec

CONVNEXT = "dinov3_convnext"
NETWORKS = {"dinov3_vit": DINOv3ViTModel, CONVNEXT: DINOv3ConvNextModel}


def load(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> TransformersEmbedder:
    """The network that the folder's config describes, of the kind that the entry names."""
    network = load_network(NETWORKS[spec.builder], folder, spec, identity)
    processor = load_processor(AutoImageProcessor, folder, spec, trust_remote_code=False)
    config = network.config
    dimensions = config.hidden_sizes[-1] if spec.builder == CONVNEXT else config.hidden_size
    return TransformersEmbedder(network, processor, dimensions=dimensions, identity=identity)


FAMILY = Family(loaders={Embedder: load})
