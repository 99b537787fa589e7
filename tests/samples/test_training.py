"""A training run: it learns, spends its budget, and goes on where it stopped."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from samples.cache import cached_scenes
from samples.scenes.scene import render_scene
from samples.training.run import Plan, TrainingRun, rate_share
from samples.training.weights import load_half, save_half


def plan(folder: Path, *, cpu_minutes: float) -> Plan:
    return Plan(
        cpu_minutes=cpu_minutes,
        peak_rate=0.05,
        weight_decay=0.0,
        largest_gradient=1.0,
        checkpoint=folder / "run.pt",
    )


def test_the_rate_rises_then_falls_to_almost_nothing():
    assert rate_share(0, 0.0) < rate_share(100, 0.0)
    assert rate_share(100, 0.0) == pytest.approx(1.0)
    assert rate_share(100, 1.0) == pytest.approx(0.01)


def test_a_run_learns_and_resumes_with_its_steps_and_seconds(tmp_path: Path):
    torch.manual_seed(0)
    network, pixels = nn.Linear(2, 1), torch.randn(64, 2)
    wanted = pixels @ torch.tensor([[2.0], [-1.0]])

    def losses_of(_step: int) -> dict[str, torch.Tensor]:
        return {"loss_line": (network(pixels) - wanted).square().mean()}

    first = TrainingRun(network, plan(tmp_path, cpu_minutes=0.01))
    first.finish(losses_of)
    again = TrainingRun(nn.Linear(2, 1), plan(tmp_path, cpu_minutes=0.01))

    assert losses_of(0)["loss_line"].item() < 0.05
    assert again.step == first.step
    assert again.spent_seconds >= 0.6
    weights = again.finish(losses_of)
    assert again.step == first.step
    assert torch.equal(weights["weight"], first.average.tensors["weight"])


def test_half_precision_weights_come_back_within_their_rounding(tmp_path: Path):
    network, other = nn.Linear(5, 5), nn.Linear(5, 5)

    save_half(network.state_dict(), tmp_path / "weights.safetensors")
    load_half(other, tmp_path / "weights.safetensors")

    torch.testing.assert_close(other.weight, network.weight, atol=1e-3, rtol=1e-3)


def test_a_cached_scene_is_the_rendered_scene(tmp_path: Path):
    cache = cached_scenes(tmp_path, render_scene, seeds=range(4, 7), processes=1)

    assert len(cache) == 3
    for index, seed in enumerate(range(4, 7)):
        kept, rendered = cache[index], render_scene(seed)
        assert np.array_equal(kept.image, rendered.image)
        assert np.array_equal(kept.instances, rendered.instances)
        assert kept.class_ids.tolist() == rendered.class_ids.tolist()
        assert kept.full_areas.tolist() == rendered.full_areas.tolist()
