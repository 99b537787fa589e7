"""Models in memory: shared, bounded, loaded once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from own_models import pool_of
from safetensors.torch import save_file

from vision.errors import (
    InvalidRequest,
    OperatorError,
    UnknownModel,
    WeightsMismatch,
    WeightsMissing,
)
from vision.models.adding import add_model
from vision.models.base import Detector, MaskGenerator, PromptSegmenter
from vision.models.demo_networks import build_demo_maskrcnn, build_demo_sam
from vision.models.device import Placement, choose_device


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_file(build_demo_maskrcnn(2).state_dict(), folder / "d.safetensors")
    save_file(build_demo_sam().state_dict(), folder / "s.safetensors")
    for name in ("first", "second"):
        file = folder / "d.safetensors"
        add_model(folder, name, like="demo_maskrcnn", file=file, labels=("it",))
    add_model(folder, "cutter", like="demo_sam", file=folder / "s.safetensors")
    return folder


def test_nothing_is_compiled_for_a_cpu(models_dir: Path) -> None:
    """It gains nothing there, and needs a compiler."""
    cutter = pool_of(models_dir, compiles=True).get("cutter", MaskGenerator)

    assert not cutter.is_compiled


def test_a_model_is_loaded_once_and_shared_by_threads(models_dir: Path) -> None:
    models = pool_of(models_dir)

    with ThreadPoolExecutor(4) as threads:
        detectors = list(threads.map(lambda _: models.get("first", Detector), range(8)))

    assert len({id(detector) for detector in detectors}) == 1


def test_least_recently_used_model_leaves_first(models_dir: Path) -> None:
    room_for_two = pool_of(models_dir).get("first", Detector).memory_bytes * 2 + 1
    models = pool_of(models_dir, memory_bytes=room_for_two)
    models.get("first", Detector)
    models.get("second", Detector)
    models.get("first", Detector)

    models.get("cutter", PromptSegmenter)

    assert "second" not in models.loaded
    assert models.loaded[-1] == "cutter"


def test_a_model_larger_than_the_limit_is_still_served(models_dir: Path) -> None:
    models = pool_of(models_dir, memory_bytes=1)

    models.get("first", Detector)
    models.get("second", Detector)

    assert models.loaded == ("second",)


def test_models_are_asked_for_what_they_can_do(models_dir: Path) -> None:
    models = pool_of(models_dir)

    with pytest.raises(InvalidRequest, match="cutter doesn't detect"):
        models.get("cutter", Detector)
    with pytest.raises(InvalidRequest, match="first doesn't segment everything"):
        models.get("first", MaskGenerator)
    with pytest.raises(InvalidRequest, match="first doesn't segment what"):
        models.get("first", PromptSegmenter)


def test_missing_and_unknown_models_are_told_apart(models_dir: Path) -> None:
    models = pool_of(models_dir)

    with pytest.raises(WeightsMissing, match="vision models pull sam_vit_b"):
        models.get("sam_vit_b", PromptSegmenter)
    with pytest.raises(UnknownModel):
        models.get("frist", Detector)


def test_an_altered_file_is_refused(models_dir: Path, tmp_path: Path) -> None:
    file = models_dir / "d.safetensors"
    spec = add_model(tmp_path, "mine", like="demo_maskrcnn", file=file, labels=("it",))
    stored = tmp_path / spec.weights.file
    stored.write_bytes(stored.read_bytes()[:-1] + b"!")

    with pytest.raises(WeightsMismatch, match="not the weights file of mine"):
        pool_of(tmp_path).get("mine", Detector)


def test_a_cpu_computes_in_single_precision_whatever_is_asked() -> None:
    assert Placement.chosen("cpu", "bfloat16") == Placement("cpu", "float32")


@pytest.mark.parametrize("setting", ["tpu", "meta", "cuda:99", "gpu0"])
def test_impossible_devices_are_refused_by_name(setting: str) -> None:
    with pytest.raises(OperatorError, match=setting):
        choose_device(setting)


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(OperatorError, match="int8"):
        Placement.chosen("cpu", "int8")
