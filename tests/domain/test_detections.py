"""Detections check themselves and hand out consistent rows."""

import numpy as np
import pytest

from vision.domain.detections import Detections
from vision.domain.mask import RleMask


def three() -> Detections:
    return Detections(
        boxes=np.array([[0, 0, 2, 2], [1, 1, 3, 3], [2, 2, 4, 4]], np.float32),
        labels=("dog", "car", "dog"),
        class_ids=np.array([4, 2, 4]),
        scores=np.array([0.9, 0.8, 0.7], np.float32),
        masks=RleMask.from_bitmaps(np.ones((3, 4, 4), bool)),
    )


def test_rows_carry_what_the_columns_hold() -> None:
    rows = list(three())

    assert [row.label for row in rows] == ["dog", "car", "dog"]
    assert rows[1].box == (1.0, 1.0, 3.0, 3.0)
    assert rows[1].score == pytest.approx(0.8)
    assert rows[1].keypoints is None


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(np.array([True, False, True]), id="by bool mask"),
        pytest.param(np.array([0, 2]), id="by index"),
    ],
)
def test_selection_keeps_columns_together(chosen: np.ndarray) -> None:
    kept = three().select(chosen)

    assert kept.labels == ("dog", "dog")
    assert kept.boxes[:, 0].tolist() == [0, 2]
    assert kept.masks is not None
    assert len(kept.masks) == 2


def test_selection_by_index_keeps_the_given_order() -> None:
    assert three().select(np.array([2, 1])).labels == ("dog", "car")


def test_nothing_found_is_a_value() -> None:
    nothing = Detections.empty()

    assert len(nothing) == 0
    assert nothing.label_counts() == {}
    assert len(nothing.select(np.zeros(0, bool))) == 0


def test_labels_are_counted() -> None:
    assert three().label_counts() == {"car": 1, "dog": 2}


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="labels has 1 rows, boxes have 0"):
        Detections(np.zeros((0, 4), np.float32), ("dog",), np.zeros(0, np.int64))
