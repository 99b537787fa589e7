"""A detector's limits, set inside the network so that no mask is made of a row nobody wants."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import RoIHeads

from vision.models.base import DetectOptions

NO_LIMIT = 2**62


class RowLimit:
    """Which rows of a torchvision network's answer survive."""

    def __init__(self, network: nn.Module, labels: tuple[str, ...]) -> None:
        self._labels = labels
        self._wanted: tuple[int, ...] | None = None
        self._rows = 0
        heads = getattr(network, "roi_heads", None)
        # Any: upstream's attributes are untyped.
        self._settings: Any = network if heads is None else heads
        self._settings.detections_per_img = NO_LIMIT  # counted here, after labels
        if isinstance(heads, RoIHeads):
            upstream = heads.postprocess_detections
            setattr(heads, "postprocess_detections", self._limited(upstream))  # noqa: B010

    def obey(self, options: DetectOptions) -> None:
        """From now on, until the next call."""
        self._settings.score_thresh = below(options.min_score)
        self._rows = options.max_detections
        self._wanted = None
        if options.labels is not None:
            chosen = (i for i, name in enumerate(self._labels) if name in options.labels)
            self._wanted = tuple(chosen)

    def rows(self, class_ids: Tensor) -> Tensor:
        """The surviving rows' indices, of rows with the highest score first."""
        rows = torch.arange(len(class_ids), device=class_ids.device)
        if self._wanted is not None:
            wanted = torch.tensor(self._wanted, dtype=class_ids.dtype, device=class_ids.device)
            rows = rows[torch.isin(class_ids, wanted)]
        return rows[: self._rows]

    def _limited(self, upstream: Callable[..., Any]) -> Callable[..., Any]:
        """R-CNNs choose rows here, before the mask and keypoint heads."""

        def limited(*arguments: Any) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
            boxes, scores, class_ids = upstream(*arguments)
            kept = [self.rows(of_image) for of_image in class_ids]
            return _take(boxes, kept), _take(scores, kept), _take(class_ids, kept)

        return limited


def below(min_score: float) -> float:
    """The threshold that lets `min_score` itself pass: upstream wants more than its threshold.

    A score of exactly 0 never passes.
    """
    return max(0.0, float(np.nextafter(np.float32(min_score), np.float32(-1))))


def _take(columns: list[Tensor], rows: list[Tensor]) -> list[Tensor]:
    return [column[chosen] for column, chosen in zip(columns, rows, strict=True)]
