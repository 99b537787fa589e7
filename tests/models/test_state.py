"""Weights files that are cut off, altered, hostile or of another network."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vision.errors import WeightsMismatch
from vision.models.state import load_state, read_state


class Mischief:
    """Runs a command when unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch mischief-was-run",)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_both_formats_are_read(tmp_path: Path, name: str) -> None:
    trained, fresh = network(), network()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1)
    state = trained.state_dict()
    torch.save(state, tmp_path / name) if name == "w.pth" else save_file(state, tmp_path / name)

    load_state(fresh, read_state(tmp_path / name), what="w")

    assert same(fresh, trained)


@pytest.mark.parametrize("wrapper", ["model", "state_dict"])
def test_training_checkpoints_are_unwrapped(tmp_path: Path, wrapper: str) -> None:
    torch.save({wrapper: network().state_dict(), "epoch": 3}, tmp_path / "w.pth")

    assert set(read_state(tmp_path / "w.pth")) == set(network().state_dict())


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_cut_off_files_are_refused_with_a_sentence(tmp_path: Path, name: str, kept: float) -> None:
    state = network().state_dict()
    file = tmp_path / name
    torch.save(state, file) if name == "w.pth" else save_file(state, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(WeightsMismatch, match=f"{name} can't be read as weights"):
        read_state(file)


def test_pickled_code_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Mischief()}, "zip.pth")
    Path("bare.pth").write_bytes(pickle.dumps(Mischief()))

    for name in ("zip.pth", "bare.pth"):
        with pytest.raises(WeightsMismatch, match="holds more than tensors"):
            read_state(Path(name))

    assert not Path("mischief-was-run").exists()


@pytest.mark.parametrize(
    "content",
    [{}, [1, 2], {"epoch": 3}, {1: torch.zeros(1)}],
    ids=["empty", "list", "no tensors", "numbered"],
)
def test_files_without_named_tensors_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")

    with pytest.raises(WeightsMismatch, match="no tensors by name"):
        read_state(tmp_path / "w.pth")


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    state = network().state_dict()
    state["0.bias"][1] = float("nan")
    torch.save(state, tmp_path / "w.pth")

    with pytest.raises(WeightsMismatch, match=r"0\.bias has values that are no numbers"):
        read_state(tmp_path / "w.pth")


def test_other_names_and_shapes_are_told() -> None:
    state = network().state_dict()
    renamed = {name.replace("1.", "norm."): tensor for name, tensor in state.items()}

    with pytest.raises(WeightsMismatch, match=r"4 tensors \(such as 1\.weight\).*norm\.weight"):
        load_state(network(), renamed, what="w.pth")
    with pytest.raises(WeightsMismatch, match=r"1 tensors of another shape.*0\.bias"):
        load_state(network(), {**state, "0.bias": torch.zeros(5)}, what="w.pth")


def test_half_precision_files_fill_single_precision_networks(tmp_path: Path) -> None:
    save_file({k: v.half() for k, v in network().state_dict().items()}, tmp_path / "w.safetensors")
    fresh = network()

    load_state(fresh, read_state(tmp_path / "w.safetensors"), what="w")

    assert {parameter.dtype for parameter in fresh.parameters()} == {torch.float32}
