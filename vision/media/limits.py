"""What decoding one untrusted file may cost."""

import json
from dataclasses import asdict, astuple, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Each limit ends the work on one file only."""

    max_pixels: int
    """Width times height, checked in the header before any pixel is decoded."""
    seconds: float
    """Wall clock for one image, drawing included; for one frame of a video."""
    memory_bytes: int
    """Address space of the decode process, beyond what the idle process has."""
    max_video_seconds: float = 86_400.0
    max_video_frames: int = 5_000_000

    def __post_init__(self) -> None:
        if min(astuple(self)) <= 0:
            raise ValueError(f"limits are above zero, not {self}")

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))
