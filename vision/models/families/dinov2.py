"""DINOv2, with and without registers, as transformers runs it: pictures to vectors."""

from pathlib import Path

from transformers import AutoImageProcessor, Dinov2Model, Dinov2WithRegistersModel

from vision.models.base import Embedder, ModelIdentity
from vision.models.families import Family
from vision.models.picture_embedding import TransformersEmbedder
from vision.models.pretrained import load_network, load_processor
from vision.models.spec import ModelSpec

NETWORKS = {"dinov2": Dinov2Model, "dinov2_with_registers": Dinov2WithRegistersModel}


def load(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> TransformersEmbedder:
    """The network that the folder's config describes, of the kind that the entry names."""
    network = load_network(NETWORKS[spec.builder], folder, spec, identity)
    processor = load_processor(AutoImageProcessor, folder, spec, trust_remote_code=False)
    dimensions = network.config.hidden_size
    return TransformersEmbedder(network, processor, dimensions=dimensions, identity=identity)


FAMILY = Family(loaders={Embedder: load})
