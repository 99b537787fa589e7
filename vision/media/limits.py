"""What decoding one untrusted file may cost."""

import json
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Each limit ends the work on one file only."""

    max_pixels: int
    """Width times height, checked in the header before any pixel is decoded."""
    seconds: float
    """Wall clock for one file, drawing included."""
    memory_bytes: int
    """Address space of the decode process, beyond what the idle process has."""

    def __post_init__(self) -> None:
        if self.max_pixels < 1 or self.seconds <= 0 or self.memory_bytes < 1:
            raise ValueError(f"limits are above zero, not {self}")

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))
