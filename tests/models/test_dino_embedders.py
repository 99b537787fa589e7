"""DINOv2 and DINOv3 from folders as people have them, against upstream called directly."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from seeded import picture
from tiny_embedders import DIMENSIONS, NETWORKS, open_added, save_dino, upstream_vectors
from transformers import DINOv3ViTModel

from vision.errors import LicenseNotAccepted, WeightsMismatch
from vision.models.adding import add_model
from vision.models.base import Embedder, ModelIdentity
from vision.models.catalogue import Catalogue
from vision.models.families import family_of
from vision.models.picture_embedding import CPU_BATCH
from vision.models.pool import ModelPool
from vision.models.weights import WeightsStore

SIZES = [(96, 128), (64, 64), (1, 1), (3, 40), (40, 3), (1, 3), (300, 170), (96, 128)]
"""Some are one or three pixels high, where upstream must be told on which axis the colors are."""
PICTURES = [picture(*size, seed=seed) for seed, size in enumerate(SIZES)]
IDENTITY = ModelIdentity("it", "0" * 64, "cpu", "float32")


@dataclass(frozen=True)
class Added:
    """A model of the user's, and the folder that it came from."""

    place: Path
    folder: Path
    like: str
    pool: ModelPool

    @property
    def embedder(self) -> Embedder:
        return self.pool.get("mine", Embedder)


@pytest.fixture(scope="module", params=NETWORKS)
def added(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Added:
    place = tmp_path_factory.mktemp(request.param)
    folder = save_dino(place / "theirs", request.param)
    return Added(place, folder, request.param, open_added(place, folder, request.param))


def test_vectors_are_upstreams(added: Added) -> None:
    vectors = added.embedder.embed(PICTURES)

    expected = upstream_vectors(added.folder, added.like, PICTURES)
    assert vectors.shape == (len(PICTURES), DIMENSIONS) == expected.shape
    np.testing.assert_allclose(vectors, expected, atol=2e-6)
    assert np.abs(expected[0] - expected[1]).max() > 0.05  # else this would compare nothing


def test_vectors_have_length_one(added: Added) -> None:
    lengths = np.linalg.norm(added.embedder.embed(PICTURES).astype(np.float64), axis=1)

    np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_vectors_do_not_depend_on_company(added: Added) -> None:
    many = [picture(40, 50, seed=seed) for seed in range(CPU_BATCH + 3)]

    together = added.embedder.embed(many)
    alone = np.concatenate([added.embedder.embed([image]) for image in many])

    np.testing.assert_allclose(together, alone, atol=2e-6)


def test_no_pictures_have_no_vectors(added: Added) -> None:
    assert added.embedder.embed([]).shape == (0, DIMENSIONS)


def test_slivers_have_vectors_near_upstreams(added: Added) -> None:
    slivers = [picture(2, 200), picture(200, 2)]

    vectors = added.embedder.embed(slivers)

    likeness = (vectors * upstream_vectors(added.folder, added.like, slivers)).sum(axis=1)
    assert (likeness > 0.98).all()


def test_the_longest_slivers_have_vectors(added: Added) -> None:
    longest = [np.zeros((1, 100_000, 3), np.uint8), np.zeros((100_000, 1, 3), np.uint8)]

    assert np.isfinite(added.embedder.embed(longest)).all()


def test_a_cpu_can_compute_in_bfloat16(added: Added) -> None:
    pool = ModelPool(
        added.pool.catalogue,
        WeightsStore(added.place),
        device="cpu",
        precision="float32",
        memory_bytes=2**30,
        cpu_precision="bfloat16",
    )

    reduced = pool.get("mine", Embedder)
    likeness = (reduced.embed(PICTURES) * added.embedder.embed(PICTURES)).sum(axis=1)

    assert reduced.identity.precision == "bfloat16"
    assert (likeness > 0.99).all()
    assert (likeness < 1 - 1e-6).any()


def test_a_folder_that_lacks_a_tensor_is_refused(added: Added, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(added.folder, broken)
    tensors = load_file(added.folder / "model.safetensors")
    lost = sorted(tensors)[-1]
    del tensors[lost]
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(WeightsMismatch, match="1 tensors that the files lack"):
        add_model(tmp_path, "broken", like=added.like, file=broken)


def test_a_processor_that_gives_several_sizes_is_refused(added: Added, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(added.folder, changed)
    config = changed / "preprocessor_config.json"
    settings = json.loads(config.read_text())
    changes = {"do_center_crop": False, "do_resize": True, "size": {"shortest_edge": 64}}
    config.write_text(json.dumps(settings | changes))

    with pytest.raises(WeightsMismatch, match="several sizes"):
        add_model(tmp_path, "changed", like=added.like, file=changed)


def test_a_folder_of_another_network_is_refused(tmp_path: Path) -> None:
    folder = save_dino(tmp_path / "theirs", "dinov2_with_registers_small")

    with pytest.raises(WeightsMismatch, match="register_tokens"):
        add_model(tmp_path, "wrong", like="dinov2_small", file=folder)


def test_a_gated_licence_is_accepted_before_its_model_runs(tmp_path: Path) -> None:
    folder = save_dino(tmp_path / "theirs", "dinov3_vits16")
    add_model(tmp_path, "mine", like="dinov3_vits16", file=folder)
    catalogue, weights = Catalogue.load(tmp_path / "catalogue.yaml"), WeightsStore(tmp_path)
    pool = ModelPool(catalogue, weights, device="cpu", precision="float32", memory_bytes=2**30)

    with pytest.raises(LicenseNotAccepted, match="DINOv3 License"):
        pool.get("mine", Embedder)


def test_the_vector_is_the_normed_cls_token(tmp_path: Path) -> None:
    folder = save_dino(tmp_path / "theirs", "dinov3_vits16")
    network = DINOv3ViTModel.from_pretrained(folder).eval()
    spec = replace(Catalogue()["dinov3_vits16"], name="it")
    embedder = family_of(spec).loaders[Embedder](spec, folder, IDENTITY)
    assert isinstance(embedder, Embedder)

    with torch.inference_mode():
        answer = network(torch.zeros(1, 3, 64, 64))

    assert torch.equal(answer.pooler_output, answer.last_hidden_state[:, 0])
    assert embedder.dimensions == answer.pooler_output.shape[1]
