"""Which rows of a network's answer a caller gets, and in which order. No torch."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vision.models.base import DetectOptions
from vision.models.spec import NO_CLASS


def kept_rows(
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int64],
    *,
    labels: Sequence[str],
    options: DetectOptions,
) -> NDArray[np.intp]:
    """Indices, highest score first, equal ones in their order: what `options` want of real classes.

    From (n,) scores and class ids; `labels` by class id.
    """
    wanted = [_is_wanted(name, options) for name in labels]
    good = np.array(wanted, np.bool_)[class_ids] & (scores >= options.min_score)
    best = np.argsort(-scores, kind="stable")
    kept: NDArray[np.intp] = best[good[best]][: options.max_detections]
    return kept


def _is_wanted(label: str, options: DetectOptions) -> bool:
    return label not in NO_CLASS and (options.labels is None or label in options.labels)
