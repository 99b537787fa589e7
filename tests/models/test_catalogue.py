"""The catalogue's data against its sources, and the user's own file beside it."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import torchvision.models
import yaml
from pydantic import ValidationError
from segment_anything import sam_model_registry
from torchvision.models import detection

from vision.errors import OperatorError, UnknownModel
from vision.models.catalogue import SHIPPED, Catalogue, listed_specs
from vision.models.checksums import file_sha256, read_sums, write_sums
from vision.models.demo_networks import DEMO_LABELS
from vision.models.families import family_of
from vision.models.families.segment_anything import OFFICIAL_SAM
from vision.models.interfaces import interfaces_of
from vision.models.listing import MIB, read_family
from vision.models.spec import TENSORS_SUFFIX, SnapshotSpec, Task, WeightsSpec
from vision.models.torchvision_networks import BUILDERS

ROOT = Path(__file__).parents[2]
TORCHVISION = sorted(
    name for name, spec in listed_specs().items() if spec.family == "torchvision_detection"
)


def test_every_detection_builder_of_torchvision_is_listed() -> None:
    assert sorted(torchvision.models.list_models(module=detection)) == TORCHVISION
    assert sorted(BUILDERS) == TORCHVISION


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_entry_says_what_the_installed_enum_says(name: str) -> None:
    spec = listed_specs()[name]
    weights = torchvision.models.get_model_weights(name).DEFAULT
    meta = weights.meta

    assert spec.weights.url == weights.url
    assert spec.weights.file == weights.url.rsplit("/", 1)[1]
    assert spec.weights.file.endswith(f"-{spec.weights.sha256_prefix}.pth")
    assert spec.weights.size_bytes == round(meta["_file_size"] * MIB)
    assert list(spec.labels) == meta["categories"]
    assert list(spec.keypoint_names) == meta.get("keypoint_names", [])
    assert spec.metrics == meta["_metrics"]["COCO-val2017"]
    assert (Task.MASKS in spec.tasks) == ("mask_map" in spec.metrics)
    assert (Task.KEYPOINTS in spec.tasks) == ("kp_map" in spec.metrics)


def test_every_official_sam_is_listed_with_its_whole_hash() -> None:
    names = [name for name, spec in listed_specs().items() if spec.family == "segment_anything"]

    assert {name.removeprefix(OFFICIAL_SAM) for name in names} == set(sam_model_registry) - {
        "default"
    }
    assert all(listed_specs()[name].weights.sha256 for name in names)


def test_demo_labels_are_those_of_the_network() -> None:
    assert listed_specs()["demo_maskrcnn"].reportable_labels == DEMO_LABELS


def test_every_family_can_be_run() -> None:
    for spec in listed_specs().values():
        assert interfaces_of(spec)
        assert set(interfaces_of(spec)) <= set(family_of(spec).loaders)


def test_every_model_says_what_it_is_for_and_what_not() -> None:
    for spec in Catalogue.load().specs:
        assert spec.intended_use.endswith(".")
        assert spec.limits.endswith(".")
        assert spec.license.name
        assert spec.training_data.endswith(".")
        assert spec.input


def test_every_folder_of_weights_can_be_pulled_and_holds_tensors() -> None:
    for spec in listed_specs().values():
        if isinstance(spec.weights, SnapshotSpec):
            assert spec.weights.hub, spec.name
            assert any(name.endswith(TENSORS_SUFFIX) for name in spec.weights.files), spec.name


def test_every_package_that_a_family_needs_is_in_the_extra_that_it_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    by_module = packages_distributions()
    for spec in listed_specs().values():
        lines = project["optional-dependencies"][spec.extra]
        installed = {re.split(r"[^\w-]", line)[0].replace("_", "-").lower() for line in lines}
        for module in spec.needs:
            names = {name.replace("_", "-").lower() for name in by_module[module]}
            assert names & installed, (spec.name, module)


LISTING = """\
family: demo
license: Apache-2.0
intended_use: It.
limits: It.
models:
  it:
    tasks: [detect]
    input: RGB
    weights: {hub: somebody/it, files: [config.json, model.safetensors]}
"""


def test_listing_in_its_shortest_form(tmp_path: Path) -> None:
    file = tmp_path / "it.yaml"
    file.write_text(LISTING)

    assert list(read_family(file).models["it"].weights.files or ()) == [
        "config.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("license:", "licence:"),
        ("model.safetensors", "model.bin"),
        ("model.safetensors", "code/model.safetensors"),
        ("somebody/it", "https://hub/somebody/it"),
        ("files:", "revision: main, files:"),
        ("[detect]", "[detekt]"),
        ("input: RGB", "input: RGB\n    size: 3"),
    ],
    ids=["key", "pickle", "path", "hub", "branch for a commit", "task", "one key too many"],
)
def test_listing_with_a_slip_is_refused(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "it.yaml"
    file.write_text(LISTING.replace(old, new))

    with pytest.raises((ValidationError, yaml.YAMLError)):
        read_family(file)


def test_shipped_weights_are_those_that_the_sums_file_records() -> None:
    sums = read_sums(SHIPPED)

    assert sums == {file.name: file_sha256(file) for file in SHIPPED.glob("*.safetensors")}
    for spec in Catalogue.load().specs:
        if spec.weights.shipped:
            assert spec.weights.sha256 == sums.get(spec.weights.file)


def test_sums_file_is_written_and_read_back(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"abc")
    (tmp_path / "note.txt").write_bytes(b"not weights")

    write_sums(tmp_path)

    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (tmp_path / "SHA256SUMS").read_text() == f"{abc}  a.safetensors\n"
    assert read_sums(tmp_path) == {"a.safetensors": abc}


def test_unknown_model_is_told_similar_names() -> None:
    with pytest.raises(UnknownModel, match="did you mean sam_vit_"):
        Catalogue.load()["sam_vit_x"]


def test_reportable_labels_leave_out_what_is_no_class() -> None:
    spec = listed_specs()["fasterrcnn_resnet50_fpn"]

    assert len(spec.reportable_labels) == 80
    assert spec.reportable_labels[0] == "person"


@pytest.mark.parametrize(
    ("weights", "fits"),
    [
        (WeightsSpec("f", sha256="ab" * 32), True),
        (WeightsSpec("f", sha256="ab" * 31 + "ff", sha256_prefix="abab"), False),
        (WeightsSpec("f", sha256_prefix="abab"), True),
        (WeightsSpec("f", sha256_prefix="abff"), False),
        (WeightsSpec("f"), False),
    ],
    ids=["whole", "whole beats prefix", "prefix", "other prefix", "nothing known"],
)
def test_a_file_is_known_by_its_hash(weights: WeightsSpec, fits: bool) -> None:
    assert weights.is_satisfied_by("ab" * 32) is fits


OWN = """\
models:
  yard:
    like: fasterrcnn_resnet50_fpn
    file: own/yard-00000000.pth
    sha256: "{digest}"
    size_bytes: 3
    labels: [__background__, cat]
"""


def test_own_model_has_the_listed_network_and_its_own_labels(tmp_path: Path) -> None:
    own_file = tmp_path / "catalogue.yaml"
    own_file.write_text(OWN.format(digest="0" * 64))

    spec = Catalogue.load(own_file)["yard"]

    assert spec.builder == spec.like == "fasterrcnn_resnet50_fpn"
    assert spec.reportable_labels == ("cat",)
    assert spec.weights.url is None
    assert not spec.metrics


def test_own_model_is_seen_without_loading_the_catalogue_again(tmp_path: Path) -> None:
    own_file = tmp_path / "catalogue.yaml"
    catalogue = Catalogue.load(own_file)
    assert "yard" not in catalogue

    own_file.write_text(OWN.format(digest="0" * 64))

    assert "yard" in catalogue


@pytest.mark.parametrize(
    "content",
    [
        OWN.format(digest="short"),
        OWN.format(digest="0" * 64).replace("own/yard", "../yard"),
        OWN.format(digest="0" * 64).replace("yard:", "sam_vit_b:"),
        OWN.format(digest="0" * 64).replace("like: fast", "like: slow"),
        "models: [",
        "other: 1",
    ],
    ids=["hash", "path outside", "hides a listed one", "like nothing", "no yaml", "unknown key"],
)
def test_broken_own_catalogue_is_named(tmp_path: Path, content: str) -> None:
    own_file = tmp_path / "catalogue.yaml"
    own_file.write_text(content)

    with pytest.raises(OperatorError, match=r"catalogue\.yaml"):
        Catalogue.load(own_file)


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("vision.models.weights, vision.models.base, vision.pipelines.plan", {"huggingface_hub"}),
        ("api.app, vision.cli.models", {"huggingface_hub"}),
        ("vision.models.pulls, vision.models.readiness, vision.models.models_page", set()),
    ],
    ids=["library", "API and list", "pulls"],
)
def test_modules_beside_the_worker_need_no_torch(modules: str, unwanted: set[str]) -> None:
    heavy = {"torch", "torchvision", "cv2", "segment_anything", "transformers", "timm"} | unwanted
    program = (
        f"import sys, {modules}, vision.models.catalogue; "
        "vision.models.catalogue.Catalogue.load(); "
        f"print({heavy!r} & {{*sys.modules}})"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (result.stdout, result.stderr) == ("set()\n", "")
