"""A training run: a budget of CPU time, a learning-rate curve, checkpoints, a log."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from samples.training.weights import WeightAverage, save_half

WARM_UP_STEPS = 50
LAST_RATE_SHARE = 0.01
LOG_EVERY_STEPS = 50
SMOOTHING = 0.97

log = logging.getLogger(__name__)

Losses = dict[str, Tensor]
StepLosses = Callable[[int], Losses]
"""The losses of one step; the step's number seeds everything random in it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to train, and where to write."""

    cpu_minutes: float
    peak_rate: float
    weight_decay: float
    largest_gradient: float
    checkpoint: Path
    checkpoint_every_minutes: float = 3.0


class TrainingRun:
    """One network on its way: optimizer, average and CPU seconds spent; resumes by itself."""

    def __init__(self, network: nn.Module, plan: Plan) -> None:
        self.network, self.plan = network, plan
        self.optimizer = torch.optim.AdamW(
            network.parameters(), plan.peak_rate, weight_decay=plan.weight_decay
        )
        self.average = WeightAverage(network)
        self.step, self.spent_seconds = 0, 0.0
        self._smoothed: dict[str, float] = {}
        if plan.checkpoint.exists():
            self._resume()

    def finish(self, losses_of: StepLosses) -> dict[str, Tensor]:
        """Trains until the CPU minutes are spent; the averaged weights."""
        budget, saved_at = self.plan.cpu_minutes * 60, self.spent_seconds
        while self.spent_seconds < budget:
            started = time.process_time()
            self._advance(losses_of, self.spent_seconds / budget)
            self.spent_seconds += time.process_time() - started
            if self.spent_seconds - saved_at > self.plan.checkpoint_every_minutes * 60:
                self.save()
                saved_at = self.spent_seconds
        self.save()
        return self.average.tensors

    def _advance(self, losses_of: StepLosses, progress: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.peak_rate * rate_share(self.step, progress)
        losses = losses_of(self.step)
        total = torch.stack(
            [value.float() for name, value in losses.items() if name.startswith("loss_")]
        ).sum()
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.largest_gradient)
        self.optimizer.step()
        self.step += 1
        self.average.follow(self.network, self.step)
        self._report(losses)

    def _report(self, losses: Losses) -> None:
        for name, value in losses.items():
            now = float(value.detach())
            self._smoothed[name] = SMOOTHING * self._smoothed.get(name, now) + (1 - SMOOTHING) * now
        if self.step % LOG_EVERY_STEPS == 0:
            numbers = " ".join(f"{name} {value:.3f}" for name, value in self._smoothed.items())
            log.info("%.1f cpu-min step %d %s", self.spent_seconds / 60, self.step, numbers)

    def save(self) -> None:
        """Writes the checkpoint, and beside it the average as it would be shipped."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.tensors,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "spent_seconds": self.spent_seconds,
        }
        partial = self.plan.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.plan.checkpoint)
        save_half(self.average.tensors, self.plan.checkpoint.with_suffix(".safetensors"))

    def _resume(self) -> None:
        state = torch.load(self.plan.checkpoint, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.tensors = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.spent_seconds = state["step"], state["spent_seconds"]
        log.info("resumed at step %d", self.step)


def rate_share(step: int, progress: float) -> float:
    """The share of the peak learning rate: a short rise, then half a cosine."""
    falling = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    rise = min(1.0, (step + 1) / WARM_UP_STEPS)
    return rise * (LAST_RATE_SHARE + (1 - LAST_RATE_SHARE) * falling)
