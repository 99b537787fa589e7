"""Where networks run, and in which number format."""

from dataclasses import dataclass

import torch

from vision.errors import OperatorError

PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
CPU_PRECISIONS = ("float32", "bfloat16")
"""A CPU has no arithmetic of float16 worth the name."""
AUTO = "auto"
"""As a precision: bfloat16 on a GPU that computes in it, else float32. Not float16: its range is
so small that a network can overflow."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and the format of the heavy arithmetic there."""

    device: str
    """cpu, cuda or cuda:N."""
    precision: str
    """float32, bfloat16 or float16, by autocast; a CPU has no float16."""

    def __post_init__(self) -> None:
        allowed = CPU_PRECISIONS if self.device == "cpu" else tuple(PRECISIONS)
        if self.precision not in allowed:
            raise OperatorError(
                f"precision on {self.device} is one of {', '.join(allowed)}, not {self.precision!r}"
            )

    @classmethod
    def chosen(cls, device: str, precision: str, *, cpu_precision: str = "float32") -> "Placement":
        """What really runs: `precision` on a GPU, `cpu_precision` on a CPU. Raises OperatorError.

        Both are checked wherever it runs, so that a wrong setting is not found out years later.
        """
        if precision not in (AUTO, *PRECISIONS):
            names = ", ".join((AUTO, *PRECISIONS))
            raise OperatorError(f"precision is one of {names}, not {precision!r}")
        on_cpu = cls("cpu", cpu_precision)
        there = choose_device(device)
        if there == "cpu":
            return on_cpu
        return cls(there, _best_precision(there) if precision == AUTO else precision)

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.precision]

    @property
    def is_reduced(self) -> bool:
        return self.precision != "float32"

    def autocast(self) -> torch.autocast:
        """A context in which convolutions and matrix products run in `precision`."""
        kind = torch.device(self.device).type
        return torch.autocast(kind, dtype=self.dtype, enabled=self.is_reduced)

    def wait(self) -> None:
        """Until the device has done what it was asked: a GPU says "done" before it is."""
        if self.device != "cpu":
            torch.cuda.synchronize(self.device)


def choose_device(setting: str) -> str:
    """`auto` takes a GPU if there is one. Raises OperatorError when the wish can't be met."""
    if setting == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        wished = torch.device(setting)
    except RuntimeError as error:
        raise OperatorError(f"device is auto, cpu, cuda or cuda:N, not {setting!r}") from error
    if wished.type == "cpu":
        return "cpu"
    if wished.type != "cuda":
        raise OperatorError(f"device is auto, cpu, cuda or cuda:N, not {setting!r}")
    if (wished.index or 0) >= torch.cuda.device_count():
        raise OperatorError(f"device {setting!r}: torch sees {torch.cuda.device_count()} GPUs")
    return setting


def _best_precision(device: str) -> str:
    with torch.cuda.device(device):
        is_native = torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if is_native else "float32"
