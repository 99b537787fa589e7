"""A user's own fine-tuned weights under a name of their own."""

from pathlib import Path

import pytest
import torch
from own_models import pool_of
from safetensors.torch import save_file
from seeded import CLASSES, detector_state, picture, upstream_detector
from torch import nn
from torchvision.models import detection

from vision.errors import InvalidRequest, UnknownModel, WeightsMismatch
from vision.models import torchvision_networks
from vision.models.adding import add_model, read_labels
from vision.models.base import DetectOptions, Detector, MaskGenerator
from vision.models.checksums import file_sha256
from vision.models.demo_networks import build_demo_maskrcnn, build_demo_sam
from vision.models.state import read_state

LIKE = "ssdlite320_mobilenet_v3_large"
OWN_LABELS = ("cat", "hat", "bat", "rat", "mat")


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "fine-tuned.pth"
    torch.save(detector_state(LIKE), file)
    return file


def test_own_model_detects_under_its_own_name_and_hash(models_dir: Path, weights: Path) -> None:
    spec = add_model(models_dir, "pets", like=LIKE, file=weights, labels=OWN_LABELS)
    weights.unlink()

    detector = pool_of(models_dir).get("pets", Detector)
    found = detector.detect([picture(150, 200, seed=1)], DetectOptions(min_score=0.3))[0]

    assert spec.labels == ("__background__", *OWN_LABELS)
    assert detector.identity.name == "pets"
    assert detector.identity.weights_sha256 == spec.weights.sha256
    assert len(found) > 0
    assert set(found.labels) <= set(OWN_LABELS)


@pytest.mark.parametrize("background", ["__background__", "background"])
def test_labels_may_name_the_background(models_dir: Path, weights: Path, background: str) -> None:
    labels = (background, *OWN_LABELS)

    spec = add_model(models_dir, "pets", like=LIKE, file=weights, labels=labels)

    assert spec.labels == labels
    assert spec.reportable_labels == OWN_LABELS


@pytest.mark.parametrize("count", [3, 4, 6])
def test_wrong_number_of_labels_is_told_with_both_numbers(
    models_dir: Path, weights: Path, count: int
) -> None:
    labels = tuple(f"label {index}" for index in range(count))

    with pytest.raises(
        WeightsMismatch, match=f"tells {CLASSES} classes apart.*{count} labels .* need {count + 1}"
    ):
        add_model(models_dir, "pets", like=LIKE, file=weights, labels=labels)

    assert not (models_dir / "catalogue.yaml").exists()


def test_labels_of_a_dense_network_may_start_at_class_0(models_dir: Path, tmp_path: Path) -> None:
    torch.save(
        upstream_detector("fcos_resnet50_fpn", num_classes=5).state_dict(), tmp_path / "w.pth"
    )

    spec = add_model(
        models_dir, "dense", like="fcos_resnet50_fpn", file=tmp_path / "w.pth", labels=OWN_LABELS
    )

    assert spec.labels == OWN_LABELS


def test_weights_of_another_network_are_refused(models_dir: Path, weights: Path) -> None:
    with pytest.raises(WeightsMismatch, match="tells no classes apart"):
        add_model(models_dir, "pets", like="fcos_resnet50_fpn", file=weights, labels=OWN_LABELS)


def test_cut_off_weights_are_refused(models_dir: Path, weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-1000])

    with pytest.raises(WeightsMismatch, match="cut off"):
        add_model(models_dir, "pets", like=LIKE, file=weights, labels=OWN_LABELS)

    assert not models_dir.exists()


@pytest.mark.parametrize("name", ["../up", "sam_vit_b", "", ".hidden", "a" * 64])
def test_unfit_names_are_refused(models_dir: Path, weights: Path, name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        add_model(models_dir, name, like=LIKE, file=weights, labels=OWN_LABELS)

    assert [error.field for error in refusal.value.errors] == ["name"]


def test_unfit_requests_are_refused(models_dir: Path, weights: Path) -> None:
    with pytest.raises(UnknownModel):
        add_model(models_dir, "pets", like="none", file=weights)
    with pytest.raises(InvalidRequest, match="names nothing"):
        add_model(models_dir, "mine", like="sam_vit_b", file=weights, labels=OWN_LABELS)
    with pytest.raises(InvalidRequest, match="twice"):
        add_model(models_dir, "pets", like=LIKE, file=weights, labels=("cat", "cat"))
    with pytest.raises(InvalidRequest, match="not a file"):
        add_model(models_dir, "pets", like=LIKE, file=weights.with_name("none.pth"))


def test_adding_again_replaces_the_model_in_a_running_pool(
    models_dir: Path, weights: Path, tmp_path: Path
) -> None:
    first = add_model(models_dir, "pets", like=LIKE, file=weights, labels=OWN_LABELS)
    running = pool_of(models_dir)
    before = running.get("pets", Detector)
    other = tmp_path / "other.safetensors"
    save_file(torchvision_networks.build(LIKE, num_classes=CLASSES).state_dict(), other)

    second = add_model(models_dir, "pets", like=LIKE, file=other, labels=OWN_LABELS)

    assert before.identity.weights_sha256 == first.weights.sha256
    assert running.get("pets", Detector).identity.weights_sha256 == file_sha256(other)
    assert [file.name for file in (models_dir / "own").iterdir()] == [
        second.weights.file.removeprefix("own/")
    ]


def test_own_demo_models_and_sams_can_be_added(models_dir: Path, tmp_path: Path) -> None:
    save_file(build_demo_maskrcnn(3).state_dict(), tmp_path / "d.safetensors")
    save_file(build_demo_sam().state_dict(), tmp_path / "s.safetensors")

    add_model(
        models_dir, "d", like="demo_maskrcnn", file=tmp_path / "d.safetensors", labels=("a", "b")
    )
    add_model(models_dir, "s", like="demo_sam", file=tmp_path / "s.safetensors")

    assert pool_of(models_dir).get("d", Detector).labels == ("__background__", "a", "b")
    assert pool_of(models_dir).get("s", MaskGenerator).identity.name == "s"


def test_labels_come_from_a_file_or_a_list(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("cat\n hat \n\n")

    assert read_labels(str(tmp_path / "labels.txt")) == ("cat", "hat")
    assert read_labels("cat, hat,") == ("cat", "hat")


@pytest.mark.parametrize("frozen", [True, False])
def test_batch_norm_is_that_of_the_network_which_wrote_the_file(
    tmp_path: Path, frozen: bool
) -> None:
    builder = "fasterrcnn_mobilenet_v3_large_320_fpn"
    network: nn.Module = detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=3
    )
    if frozen:
        torchvision_networks.freeze_batch_norm(network, epsilon=1e-5)
    torch.save(network.state_dict(), tmp_path / "w.pth")

    loaded = torchvision_networks.load(
        builder, read_state(tmp_path / "w.pth"), num_classes=3, is_published=False, what="w"
    )

    assert any(isinstance(module, nn.BatchNorm2d) for module in loaded.modules()) is not frozen
