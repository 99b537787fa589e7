"""`vision models embed-text`: words to vectors, as one does it at a shell."""

import json
from pathlib import Path

import numpy as np
import pytest
from console import run
from tiny_embedders import open_added, save_perception_encoder

from vision.models.base import TextEmbedder


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def test_vectors_are_those_of_the_model(models_dir: Path) -> None:
    folder = save_perception_encoder(models_dir / "theirs")
    pool = open_added(models_dir, folder, "pe_core_tiny")
    texts = ["a red car", 'Grüße, "hello"']

    ended = run(
        "models", "embed-text", "mine", *texts, cwd=models_dir, VISION_MODELS_DIR=str(models_dir)
    )

    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    expected = pool.get("mine", TextEmbedder)
    assert said["weights_sha256"] == expected.identity.weights_sha256
    assert [item["text"] for item in said["items"]] == texts
    vectors = np.array([item["vector"] for item in said["items"]])
    np.testing.assert_allclose(vectors, expected.embed_text(texts), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert ended.err == ""


def test_a_model_without_words_says_so(models_dir: Path) -> None:
    ended = run("models", "embed-text", "demo_sam", "words", VISION_MODELS_DIR=str(models_dir))

    assert ended.code == 2
    assert "demo_sam makes no vectors of words" in ended.err
