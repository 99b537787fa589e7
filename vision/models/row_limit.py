"""A detector's limits, set inside the network so that no mask is made of a row nobody wants.

The network's own score threshold is only ever lowered, and rows are dropped after its
non-maximum suppression: so what is kept, and in which order, is what upstream would give.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection.roi_heads import RoIHeads

from vision.models.base import DetectOptions

NO_LIMIT = 2**62


class RowLimit:
    """Which rows of a torchvision network's answer survive."""

    def __init__(self, network: Any, labels: tuple[str, ...]) -> None:  # Any: upstream is untyped
        self._labels = labels
        self._wanted: tuple[int, ...] | None = None
        self._options = DetectOptions()
        heads = getattr(network, "roi_heads", None)
        self._settings = network if heads is None else heads
        self._upstream_threshold: float = self._settings.score_thresh
        self._settings.detections_per_img = NO_LIMIT  # counted here, after labels
        if isinstance(heads, RoIHeads):
            upstream = heads.postprocess_detections
            setattr(heads, "postprocess_detections", self._limited(upstream))  # noqa: B010

    def obey(self, options: DetectOptions) -> None:
        """From now on, until the next call."""
        self._settings.score_thresh = min(self._upstream_threshold, below(options.min_score))
        self._options = options
        self._wanted = None
        if options.labels is not None:
            chosen = (i for i, name in enumerate(self._labels) if name in options.labels)
            self._wanted = tuple(chosen)

    def rows(self, scores: Tensor, class_ids: Tensor) -> Tensor:
        """The surviving rows' indices, of rows with the highest score first."""
        survives = scores >= self._options.min_score
        if self._wanted is not None:
            survives &= torch.isin(class_ids, class_ids.new_tensor(self._wanted))
        return torch.nonzero(survives)[: self._options.max_detections, 0]

    def _limited(self, upstream: Callable[..., Any]) -> Callable[..., Any]:
        """R-CNNs choose rows here, before the mask and keypoint heads."""

        def limited(*arguments: Any) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
            boxes, scores, class_ids = upstream(*arguments)
            kept = [self.rows(*of_image) for of_image in zip(scores, class_ids, strict=True)]
            return _take(boxes, kept), _take(scores, kept), _take(class_ids, kept)

        return limited


def below(min_score: float) -> float:
    """The threshold that lets `min_score` itself pass: upstream wants more than its threshold.

    A score of exactly 0 never passes.
    """
    return max(0.0, float(np.nextafter(np.float32(min_score), np.float32(-1))))


def _take(columns: list[Tensor], rows: list[Tensor]) -> list[Tensor]:
    return [column[chosen] for column, chosen in zip(columns, rows, strict=True)]
