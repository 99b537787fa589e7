"""Perception Encoder from a folder as open_clip makes it, against upstream called directly."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from seeded import picture
from tiny_embedders import PE_CONFIG, open_added, save_perception_encoder

from vision.errors import InvalidRequest, WeightsMismatch
from vision.models.adding import add_model
from vision.models.base import Detector, Embedder, TextEmbedder
from vision.models.pool import ModelPool

PICTURES = [picture(*size) for size in ((96, 128), (1, 1), (3, 200), (300, 17), (1, 2000))]
TEXTS = ["a dog", "two red cars in a yard", "", "  A  Dog ", "viele Wörter " * 40, "🐶 & <b>"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_perception_encoder(tmp_path_factory.mktemp("pe") / "theirs")


@pytest.fixture(scope="module")
def pool(folder: Path) -> ModelPool:
    return open_added(folder.parent, folder, "pe_core_tiny")


@pytest.fixture(scope="module")
def embedder(pool: ModelPool) -> TextEmbedder:
    return pool.get("mine", TextEmbedder)


@pytest.fixture(scope="module")
def upstream(folder: Path) -> tuple[Any, Any, Any]:
    """Network, what prepares pictures, what prepares words."""
    network, prepare = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    return network.eval(), prepare, open_clip.get_tokenizer(f"local-dir:{folder}")


def test_vectors_of_pictures_are_upstreams(
    embedder: TextEmbedder, upstream: tuple[Any, Any, Any]
) -> None:
    network, prepare, _ = upstream

    with torch.inference_mode():
        pixels = [prepare(Image.fromarray(image))[None] for image in PICTURES]
        expected = torch.cat([network.encode_image(one, normalize=True) for one in pixels])

    vectors = embedder.embed(PICTURES)
    np.testing.assert_allclose(vectors, expected.numpy(), atol=2e-6)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_vectors_of_words_are_upstreams(
    embedder: TextEmbedder, upstream: tuple[Any, Any, Any]
) -> None:
    network, _, tokenize = upstream

    with torch.inference_mode():
        expected = network.encode_text(tokenize(TEXTS), normalize=True)

    vectors = embedder.embed_text(TEXTS)
    np.testing.assert_allclose(vectors, expected.numpy(), atol=2e-6)
    np.testing.assert_allclose(vectors[0], vectors[3], atol=2e-6)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


@pytest.mark.parametrize(
    "embed",
    [lambda model: model.embed(PICTURES), lambda model: model.embed_text(TEXTS)],
    ids=["pictures", "words"],
)
def test_vectors_have_length_one(
    embedder: TextEmbedder, embed: Callable[[TextEmbedder], NDArray[np.float32]]
) -> None:
    vectors = embed(embedder)

    assert vectors.shape[1] == embedder.dimensions == 24
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)


def test_nothing_has_no_vectors(embedder: TextEmbedder) -> None:
    assert embedder.embed([]).shape == embedder.embed_text([]).shape == (0, 24)


def test_one_network_serves_pictures_and_words(pool: ModelPool) -> None:
    assert pool.get("mine", Embedder) is pool.get("mine", TextEmbedder)


def test_it_detects_nothing(pool: ModelPool) -> None:
    with pytest.raises(InvalidRequest, match="mine doesn't detect"):
        pool.get("mine", Detector)


def test_a_cpu_can_compute_in_bfloat16(folder: Path, embedder: TextEmbedder) -> None:
    reduced = open_added(folder.parent, folder, "pe_core_tiny", cpu_precision="bfloat16").get(
        "mine", TextEmbedder
    )

    for one, other in (
        (reduced.embed(PICTURES), embedder.embed(PICTURES)),
        (reduced.embed_text(TEXTS), embedder.embed_text(TEXTS)),
    ):
        likeness = (one * other).sum(axis=1)
        assert (likeness > 0.99).all()
        assert (likeness < 1 - 1e-7).any()


@pytest.mark.parametrize("change", ["lacks", "has another shape", "has one more"])
def test_tensors_that_do_not_fit_are_refused(folder: Path, tmp_path: Path, change: str) -> None:
    """Another shape too: upstream's loader would stretch position embeddings in silence."""
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    tensors = load_file(folder / "open_clip_model.safetensors")
    name = "text.positional_embedding"
    if change == "lacks":
        del tensors[name]
    elif change == "has another shape":
        tensors[name] = tensors[name][:-1].contiguous()
    else:
        tensors["stranger"] = torch.zeros(1)
    save_file(tensors, broken / "open_clip_model.safetensors")

    with pytest.raises(WeightsMismatch, match=r"doesn't fit open_clip_config\.json"):
        add_model(tmp_path, "broken", like="pe_core_tiny", file=broken)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        pytest.param("vision_cfg", "timm_model_name", "hf-hub:some/one", id="goes to the hub"),
        pytest.param("vision_cfg", "timm_model_name", "vit_pe_nothing", id="unknown tower"),
        pytest.param("text_cfg", "hf_model_name", "some/one", id="text tower of the hub"),
        pytest.param("text_cfg", "hf_tokenizer_name", "some/one", id="tokenizer of the hub"),
        pytest.param("text_cfg", "strange", 1, id="unknown key"),
    ],
)
def test_a_config_that_is_not_the_familys_is_refused(
    folder: Path, tmp_path: Path, part: str, key: str, value: object
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    config = copy.deepcopy(PE_CONFIG)
    config["model_cfg"][part][key] = value
    (changed / "open_clip_config.json").write_text(json.dumps(config))

    with pytest.raises(WeightsMismatch, match="open_clip_config"):
        add_model(tmp_path, "changed", like="pe_core_tiny", file=changed)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"model_cfg": 3}', b"\xff"])
def test_a_config_that_is_none_is_refused(folder: Path, tmp_path: Path, content: bytes) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    (changed / "open_clip_config.json").write_bytes(content)

    with pytest.raises(WeightsMismatch, match="open_clip_config"):
        add_model(tmp_path, "changed", like="pe_core_tiny", file=changed)
