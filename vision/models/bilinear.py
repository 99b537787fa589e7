"""How torch enlarges: which two of the old values make a new one, and with what weights.

The numbers are those of `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`
for float32 (`compute_source_index_and_lambda` in ATen's UpSample.h): every bit of a mask near its
threshold hangs on them.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vision.domain.image import ImageSize


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """Along one axis: new value i is first_weight[i] * old[first[i]] + second_weight[i] *
    old[second[i]]; both positions grow with i.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    first_weight: NDArray[np.float32]
    second_weight: NDArray[np.float32]

    @classmethod
    def between(cls, old: int, new: int) -> "Taps":
        """For `old` values that become `new` ones."""
        if old == new:
            same, ones = np.arange(new, dtype=np.int32), np.ones(new, np.float32)
            return cls(same, same, ones, np.zeros(new, np.float32))
        half, scale = np.float32(0.5), np.float32(old) / np.float32(new)
        places = scale * (np.arange(new, dtype=np.float32) + half) - half
        places = np.maximum(places, np.float32(0))
        first = np.minimum(places.astype(np.int32), old - 1)
        second = np.minimum(first + 1, old - 1)
        part = np.clip(places - first.astype(np.float32), np.float32(0), np.float32(1))
        return cls(first, second.astype(np.int32), np.float32(1) - part, part)

    def part(self, start: int, count: int) -> "Taps":
        """Of so many new values from there on."""
        kept = slice(start, start + count)
        return Taps(
            self.first[kept],
            self.second[kept],
            self.first_weight[kept],
            self.second_weight[kept],
        )


@dataclass(frozen=True, slots=True)
class Step:
    """Enlarged to `size`, of which a part stays."""

    size: ImageSize
    kept: ImageSize
    """How much stays."""
    left: int = 0
    """And from where on."""
    top: int = 0

    @classmethod
    def whole(cls, size: ImageSize) -> "Step":
        """All of it stays."""
        return cls(size, size)

    @property
    def rows(self) -> slice:
        """Those that stay."""
        return slice(self.top, self.top + self.kept.height)

    @property
    def columns(self) -> slice:
        """Those that stay."""
        return slice(self.left, self.left + self.kept.width)


@dataclass(frozen=True, slots=True)
class Enlargement:
    """From a network's small logits to a picture, in one step or two."""

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.steps) <= 2:
            raise ValueError(f"an enlargement has one step or two, not {len(self.steps)}")

    @property
    def size(self) -> ImageSize:
        """What comes out."""
        return self.steps[-1].kept


class Frame(NamedTuple):
    """Where the enlarged part lies in the whole picture."""

    left: int
    top: int
    width: int
    height: int
