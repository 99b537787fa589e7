"""SAM3-LiteText in transformers, from a folder as the hub has them."""

from pathlib import Path

from transformers import Sam3LiteTextModel, Sam3Processor

from vision.models.base import ConceptSegmenter, ModelIdentity
from vision.models.families import Family
from vision.models.pretrained import load_network, load_processor
from vision.models.spec import ModelSpec
from vision.models.transformers_concepts import TransformersConcepts


def load_concepts(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> TransformersConcepts:
    """For words and examples in pictures."""
    network = load_network(Sam3LiteTextModel, folder, spec, identity)
    processor = load_processor(Sam3Processor, folder, spec)
    return TransformersConcepts(network, processor, identity=identity)


FAMILY = Family(loaders={ConceptSegmenter: load_concepts})
