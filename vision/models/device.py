"""Where networks run, and in which number format."""

from dataclasses import dataclass

import torch

from vision.errors import OperatorError

PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and the format of the heavy arithmetic there."""

    device: str
    """cpu, cuda or cuda:N."""
    precision: str
    """float32, bfloat16 or float16: by autocast, and only on a GPU."""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            names = ", ".join(PRECISIONS)
            raise OperatorError(f"precision is one of {names}, not {self.precision!r}")

    @classmethod
    def chosen(cls, device: str, precision: str) -> "Placement":
        """What really runs: a CPU computes in float32 whatever was asked."""
        asked = cls(choose_device(device), precision)
        return cls(asked.device, "float32") if asked.device == "cpu" else asked

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
