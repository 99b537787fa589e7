"""What a person names: words for things, and examples of them, in pixels of the upright image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Concepts:
    """All things are wanted that any of the words names, or that resemble the examples.

    With examples there is at most one word: the examples say more exactly what it means.
    """

    words: tuple[str, ...]
    """Short noun phrases, such as "yellow school bus"; the labels of what is found."""
    examples: NDArray[np.float32]
    """(m, 5) float32: x1, y1, x2, y2 in pixels, and 1 for such a thing or 0 for what isn't one."""

    def __post_init__(self) -> None:
        if self.examples.ndim != 2 or self.examples.shape[1] != 5:
            raise ValueError(f"examples have shape (m, 5), not {self.examples.shape}")
        if not self.words and not len(self.examples):
            raise ValueError("give a word or an example")
        if len(self.examples) and len(self.words) > 1:
            raise ValueError("with examples there is at most one word")

    @classmethod
    def named(cls, *words: str) -> "Concepts":
        return cls(words, np.zeros((0, 5), np.float32))
