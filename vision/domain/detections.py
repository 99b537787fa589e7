"""What a model found in one image: columns for machines, one detection as a view for people."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vision.domain.mask import RleMask

ANY_OBJECT = "object"
"""The label of a mask that no detector named."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One row of `Detections`."""

    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the upright image."""
    label: str
    class_id: int
    score: float | None
    mask: RleMask | None = None
    keypoints: NDArray[np.float32] | None = None
    """(k, 3): x, y in pixels, and the model's keypoint score."""
    predicted_iou: float | None = None
    stability_score: float | None = None
    object_id: int | None = None
    embedding: NDArray[np.float32] | None = None
    """(d,) of length 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Rows in the order the model gave them, highest score first for detectors.

    A column that a model doesn't give is None. `scores` is None for masks without a
    detector: segment-anything's own guess is `predicted_iou`, and that is not a score.
    """

    boxes: NDArray[np.float32]
    """(n, 4) float32: x1, y1, x2, y2 in pixels of the upright image."""
    labels: tuple[str, ...]
    class_ids: NDArray[np.int64]
    """(n,) int64: the model's own class numbers."""
    scores: NDArray[np.float32] | None = None
    masks: tuple[RleMask, ...] | None = None
    keypoints: NDArray[np.float32] | None = None
    """(n, k, 3) float32: x, y in pixels, and the model's keypoint score."""
    predicted_iou: NDArray[np.float32] | None = None
    stability_scores: NDArray[np.float32] | None = None
    object_ids: NDArray[np.int64] | None = None
    """(n,) int64: which followed object of its video it is, from 1."""
    embeddings: NDArray[np.float32] | None = None
    """(n, d) float32 of length 1 each."""

    def __post_init__(self) -> None:
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4:
            raise ValueError(f"boxes have shape (n, 4), not {self.boxes.shape}")
        for name, length in self._lengths().items():
            if length != len(self.boxes):
                raise ValueError(f"{name} has {length} rows, boxes have {len(self.boxes)}")

    @classmethod
    def empty(cls) -> Self:
        return cls(np.zeros((0, 4), np.float32), (), np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Detection]:
        return (self.row(index) for index in range(len(self)))

    def row(self, index: int) -> Detection:
        return Detection(
            box=_four(self.boxes[index]),
            label=self.labels[index],
            class_id=int(self.class_ids[index]),
            score=_number(self.scores, index),
            mask=None if self.masks is None else self.masks[index],
            keypoints=None if self.keypoints is None else self.keypoints[index],
            predicted_iou=_number(self.predicted_iou, index),
            stability_score=_number(self.stability_scores, index),
            object_id=None if self.object_ids is None else int(self.object_ids[index]),
            embedding=None if self.embeddings is None else self.embeddings[index],
        )

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The rows chosen by a bool mask (n,) or by indices, in that order."""
        indices = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        chosen: dict[str, Any] = {name: _take(column, indices) for name, column in self._columns()}
        return replace(self, **chosen)

    def with_masks(
        self, masks: tuple[RleMask, ...], *, predicted_iou: NDArray[np.float32] | None = None
    ) -> Self:
        """The same rows with these masks; boxes and scores stay the detector's."""
        return replace(self, masks=masks, predicted_iou=predicted_iou)

    def with_embeddings(self, embeddings: NDArray[np.float32]) -> Self:
        """The same rows with these vectors, (n, d) float32 of length 1 each."""
        return replace(self, embeddings=embeddings)

    def label_counts(self) -> dict[str, int]:
        """Rows per label, by label."""
        names, counts = np.unique(np.array(self.labels, dtype=object), return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}

    def _columns(self) -> Iterator[tuple[str, NDArray[np.generic] | tuple[object, ...]]]:
        for field in fields(self):
            column = getattr(self, field.name)
            if column is not None:
                yield field.name, column

    def _lengths(self) -> dict[str, int]:
        return {name: len(column) for name, column in self._columns()}


def _take(column: NDArray[np.generic] | tuple[object, ...], indices: NDArray[Any]) -> object:
    if isinstance(column, tuple):
        return tuple(column[index] for index in indices)
    return column[indices]


def _number(column: NDArray[np.float32] | None, index: int) -> float | None:
    return None if column is None else float(column[index])


def _four(row: NDArray[np.float32]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in row)
    return x1, y1, x2, y2
