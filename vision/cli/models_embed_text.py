"""`vision models embed-text`: words to vectors, to be compared with those of stored pictures."""

from typing import Annotated

import typer

from vision.cli.configuration import read_settings
from vision.cli.models import NameArgument, opened
from vision.cli.output import print_json
from vision.engine.worker_parts import open_pool
from vision.models.base import TextEmbedder


def embed_text(
    name: NameArgument,
    texts: Annotated[list[str], typer.Argument(metavar="TEXT…", help="One or more, quoted.")],
) -> None:
    """Print vectors of words as JSON, in the space of the model's vectors of pictures."""
    catalogue, weights = opened()
    model = open_pool(catalogue, weights, read_settings()).get(name, TextEmbedder)
    vectors = model.embed_text(texts)
    print_json(
        {
            "model": model.identity.name,
            "weights_sha256": model.identity.weights_sha256,
            "device": model.identity.device,
            "precision": model.identity.precision,
            "items": [
                {"text": text, "vector": [round(value, 9) for value in vector]}
                for text, vector in zip(texts, vectors.tolist(), strict=True)
            ],
        }
    )
