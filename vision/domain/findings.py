"""All that a pipeline found in one picture: detections, and what it says of the whole."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vision.domain.detections import Detections


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One row of `Classes`."""

    label: str
    class_id: int
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """What a classifier says of a picture or a clip, highest score first; possibly nothing."""

    labels: tuple[str, ...]
    class_ids: NDArray[np.int64]
    """(n,) int64: the model's own class numbers."""
    scores: NDArray[np.float32]
    """(n,) float32, 0 to 1."""

    def __post_init__(self) -> None:
        if not len(self.labels) == len(self.class_ids) == len(self.scores):
            raise ValueError("labels, class ids and scores have the same length")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What one picture has; a stage that didn't run leaves None."""

    detections: Detections
    classes: Classes | None = None
    embedding: NDArray[np.float32] | None = None
    """(d,) float32 of length 1: of the whole picture."""

    @classmethod
    def empty(cls) -> Self:
        return cls(Detections.empty())


@dataclass(frozen=True, slots=True, eq=False)
class ClipClasses:
    """What a classifier of clips says of a stretch of video."""

    first_frame: int
    last_frame: int
    """Frame indices of the first and last frame that it saw."""
    from_seconds: float
    to_seconds: float
    """Their times."""
    classes: Classes


def unit_length(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, d) float32, each divided by its Euclidean length; raises ValueError for one of none."""
    wide = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise ValueError("an embedding has no direction")
    unit: NDArray[np.float32] = (wide / lengths).astype(np.float32)
    return unit
