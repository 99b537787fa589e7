"""Masks read off small logits are those of masks painted by torch and upstream's own functions.

One contract for both ways; on a CPU the way without painting gives the same bits.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from segment_anything.utils.amg import (
    batched_mask_to_box,
    calculate_stability_score,
    coco_encode_rle,
    mask_to_rle_pytorch,
    uncrop_masks,
)
from torch import Tensor
from torch.nn import functional

from vision.domain.image import ImageSize
from vision.models import mask_scan, mask_scan_cpu, mask_scan_torch
from vision.models.bilinear import Enlargement, Frame, Step
from vision.models.mask_scan import Scans, joined_scans, scanned

WAYS = [
    "without painting",
    "by torch",
    pytest.param("on a GPU", marks=pytest.mark.gpu),
]


def size(width: int, height: int) -> ImageSize:
    return ImageSize(width=width, height=height)


SQUARE = Step(size(1024, 1024), size(1024, 768))
TALL = Step(size(1024, 1024), size(683, 1024))
CASES = {
    "long side as the network's": (Enlargement((SQUARE,)), None),
    "larger picture": (Enlargement((SQUARE, Step.whole(size(1333, 1000)))), None),
    "smaller picture": (Enlargement((TALL, Step.whole(size(200, 300)))), None),
    "straight to the picture": (Enlargement((Step.whole(size(333, 97)),)), None),
    "a column": (Enlargement((Step.whole(size(1, 200)),)), None),
    "a row": (Enlargement((Step.whole(size(200, 1)),)), None),
    "so small that torch rounds otherwise": (Enlargement((Step.whole(size(64, 40)),)), None),
    "a crop inside": (Enlargement((TALL, Step.whole(size(200, 300)))), Frame(40, 30, 500, 400)),
    "a crop from top to foot": (
        Enlargement((TALL, Step.whole(size(200, 300)))),
        Frame(40, 0, 500, 300),
    ),
    "a crop at the right edge": (
        Enlargement((TALL, Step.whole(size(200, 300)))),
        Frame(300, 9, 500, 309),
    ),
    "a part of the enlarged": (Enlargement((Step(size(300, 280), size(100, 50), 7, 9),)), None),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The device that the logits are on."""
    if request.param == "by torch":
        monkeypatch.setattr(mask_scan, "is_torch_known", lambda: False)
    if request.param == "on a GPU" and not torch.cuda.is_available():
        pytest.skip("torch sees no GPU")
    return "cuda" if request.param == "on a GPU" else "cpu"


def blobs(count: int, *, side: int = 64, seed: int = 0, level: float = 0.0) -> Tensor:
    """(count, side, side): some of everything, from speckles to half of the picture."""
    random = torch.Generator().manual_seed(seed)
    widths = torch.randint(1, side // 8, (count,), generator=random) * 2 + 1
    noise = torch.randn(count, 1, 1, side, side, generator=random)
    rows = [
        functional.avg_pool2d(one, int(width), 1, int(width) // 2) * float(width)
        for one, width in zip(noise, widths, strict=True)
    ]
    return torch.cat(rows)[:, 0] * 3 + level


@pytest.mark.parametrize("level", [0.0, -4.0, 30.0, -30.0], ids=["half", "few", "all", "none"])
@pytest.mark.parametrize("case", CASES)
def test_masks_are_those_that_upstream_paints(way: str, case: str, level: float) -> None:
    enlargement, frame = CASES[case]
    logits = blobs(12, level=level).to(way)

    found = scanned(logits, enlargement, offset=1.0, frame=frame)

    assert_upstreams(found, logits, enlargement, frame, offset=1.0)


@pytest.mark.parametrize(("threshold", "offset"), [(0.5, 0.0), (-1.0, 0.25), (2.0, 3.0)])
def test_limits_are_the_callers(way: str, threshold: float, offset: float) -> None:
    enlargement, frame = CASES["larger picture"]
    logits = blobs(8, seed=1).to(way)

    found = scanned(logits, enlargement, threshold=threshold, offset=offset)

    assert_upstreams(found, logits, enlargement, frame, threshold=threshold, offset=offset)


def test_noise_has_many_edges(way: str) -> None:
    """More than there was room for at first."""
    enlargement, _ = CASES["long side as the network's"]
    logits = torch.randn(3, 256, 256, generator=torch.Generator().manual_seed(2)).to(way)

    found = scanned(logits, enlargement, offset=0.1)

    assert len(found.edges[0]) > 10 * mask_scan_cpu.FIRST_ROOM
    assert_upstreams(found, logits, enlargement, None, offset=0.1)


def test_only_logits_that_reach_the_threshold_are_looked_at(way: str) -> None:
    """One warm value in the last corner, and values that are the limit itself."""
    enlargement, _ = CASES["smaller picture"]
    logits = torch.full((2, 64, 64), -1.0)
    logits[0, 63, 63] = 50.0
    logits = logits.to(way)

    found = scanned(logits, enlargement, offset=1.0)

    assert found.areas[0] == 0  # the corner is in the part that is cut off
    assert_upstreams(found, logits, enlargement, None, offset=1.0)
    whole = Enlargement((Step.whole(size(100, 90)),))
    assert_upstreams(scanned(logits, whole, offset=1.0), logits, whole, None, offset=1.0)


def test_no_logits_give_no_masks(way: str) -> None:
    enlargement, _ = CASES["larger picture"]

    found = scanned(torch.zeros(0, 64, 64, device=way), enlargement)

    assert found.masks() == ()
    assert (found.boxes.shape, found.stability.shape) == ((0, 4), (0,))


def test_threads_share_the_work_and_keep_the_order(two_threads: None) -> None:
    enlargement, _ = CASES["smaller picture"]
    logits = blobs(5 * mask_scan.MASKS_PER_THREAD)

    together = scanned(logits, enlargement, offset=1.0)
    torch.set_num_threads(1)
    alone = scanned(logits, enlargement, offset=1.0)

    assert together.masks() == alone.masks()
    np.testing.assert_array_equal(together.stability, alone.stability)


@pytest.mark.parametrize("at_once", [1, 5])
def test_painting_a_few_at_a_time_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    enlargement, frame = CASES["a crop inside"]
    logits = blobs(12)
    monkeypatch.setitem(mask_scan_torch.VALUES_AT_ONCE, "cpu", at_once * 1024 * 1024)

    found = mask_scan_torch.scan(
        logits, enlargement, frame or Frame(0, 0, 1, 1), threshold=0.0, offset=1.0
    )

    expected = scanned(logits, enlargement, offset=1.0, frame=frame)
    np.testing.assert_array_equal(found.edges, np.concatenate(expected.edges))
    np.testing.assert_array_equal(found.facts[:, 2], expected.areas)


def test_columns_are_chosen_moved_and_joined() -> None:
    enlargement, _ = CASES["smaller picture"]
    found = scanned(blobs(6), enlargement, offset=1.0)

    chosen = found.only([4, 1])
    joined = joined_scans([chosen, found.only([0])], found.size).moved(10, 20)

    masks = found.masks()
    assert joined.masks() == (masks[4], masks[1], masks[0])
    np.testing.assert_array_equal(joined.boxes, found.boxes[[4, 1, 0]] + [10, 20, 10, 20])
    np.testing.assert_array_equal(joined.stability, found.stability[[4, 1, 0]])
    assert joined_scans([], found.size).masks() == ()


def test_this_torch_is_known() -> None:
    """Else everything here goes the long way, and nobody notices."""
    assert mask_scan.is_torch_known()


def test_a_torch_that_rounds_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one that enlarges in double precision."""

    def enlarged(logits: Tensor, enlargement: Enlargement) -> Tensor:
        return real(logits.double(), enlargement).float()

    real: Callable[[Tensor, Enlargement], Tensor] = mask_scan_torch.enlarged
    monkeypatch.setattr(mask_scan_torch, "enlarged", enlarged)

    assert not mask_scan.is_torch_known.__wrapped__()


def test_code_that_can_t_be_kept_on_disk_runs_all_the_same() -> None:
    """As where no folder can be written."""
    place: dict[str, Any] = {}
    exec("def doubled(number):\n    return 2 * number", place)
    with pytest.raises(RuntimeError, match="cannot cache"):
        mask_scan_cpu.numba.njit(cache=True)(place["doubled"])

    assert mask_scan_cpu.compiled(place["doubled"])(21) == 42


def assert_upstreams(
    found: Scans,
    logits: Tensor,
    enlargement: Enlargement,
    frame: Frame | None,
    *,
    threshold: float = 0.0,
    offset: float,
) -> None:
    """By segment-anything's functions on painted masks."""
    values = mask_scan_torch.enlarged(logits, enlargement)
    masks = values > threshold
    frame = frame or Frame(0, 0, values.shape[2], values.shape[1])
    crop = [frame.left, frame.top, frame.left + values.shape[2], frame.top + values.shape[1]]
    whole = uncrop_masks(masks, crop, frame.height, frame.width)
    expected = [coco_encode_rle(rle)["counts"] for rle in mask_to_rle_pytorch(whole)]
    assert [mask.counts for mask in found.masks()] == expected
    np.testing.assert_array_equal(found.boxes, on_cpu(batched_mask_to_box(masks)))
    np.testing.assert_array_equal(found.areas, on_cpu(masks.sum((1, 2))))
    stability = on_cpu(calculate_stability_score(values, threshold, offset))
    np.testing.assert_array_equal(found.stability, stability)


def on_cpu(numbers: Tensor) -> NDArray[np.generic]:
    array: NDArray[np.generic] = numbers.cpu().numpy()
    return array
