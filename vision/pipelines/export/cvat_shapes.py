"""The shapes of CVAT's tracks: where an object is from a frame on."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vision.domain.mask import RleMask
from vision.domain.stored import StoredDetection
from vision.media.drawing.run_lengths import crop_of


@dataclass(frozen=True, slots=True)
class Shape:
    """An element of a track."""

    name: str
    """box or mask."""
    attributes: Mapping[str, object]


def followed(
    rows: Iterable[StoredDetection], *, analysed: NDArray[np.int64], length: int | None
) -> Iterator[Shape]:
    """The boxes of a track, and where it is out of sight: CVAT draws on what isn't ended.

    Between analysed frames CVAT interpolates; an analysed frame without the object ends it.
    """
    last: StoredDetection | None = None
    for stored in rows:
        if last is not None and _is_between(analysed, _frame(last), _frame(stored)):
            yield _box(last, frame=_frame(last) + 1, is_outside=True)
        yield _box(stored, frame=_frame(stored), is_outside=False)
        last = stored
    if last is not None and (length is None or _frame(last) + 1 < length):
        yield _box(last, frame=_frame(last) + 1, is_outside=True)


def seen_once(stored: StoredDetection, *, length: int | None) -> Iterator[Shape]:
    """One frame of a mask, or of a box where there is no mask."""
    frame = _frame(stored)
    pixels = None if stored.mask is None else _pixels(stored.mask)
    ends = [(frame, False)]
    if length is None or frame + 1 < length:
        ends.append((frame + 1, True))
    for where, is_outside in ends:
        if pixels is None:
            yield _box(stored, frame=where, is_outside=is_outside)
        else:
            yield Shape("mask", _place(where, is_outside=is_outside) | pixels)


def _is_between(analysed: NDArray[np.int64], first: int, second: int) -> bool:
    """Whether a frame between the two was analysed."""
    return bool(np.diff(np.searchsorted(analysed, (first, second)))[0] > 1)


def _frame(stored: StoredDetection) -> int:
    assert stored.frame_index is not None
    return stored.frame_index


def _place(frame: int, *, is_outside: bool) -> dict[str, object]:
    return {"frame": frame, "keyframe": 1, "outside": int(is_outside), "occluded": 0}


def _box(stored: StoredDetection, *, frame: int, is_outside: bool) -> Shape:
    corners = zip(("xtl", "ytl", "xbr", "ybr"), stored.box, strict=True)
    edges = {name: round(value, 2) for name, value in corners}
    return Shape("box", _place(frame, is_outside=is_outside) | edges | {"z_order": 0})


def _pixels(mask: RleMask) -> dict[str, object] | None:
    """Run lengths outside, inside, outside, … by rows of the part that has pixels."""
    crop = crop_of(mask)
    if crop is None:
        return None
    flat = crop.bitmap.ravel() > 0
    turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = [0] * (1 + bool(flat[0])) + turns.tolist() + [flat.size]
    return {
        "rle": ", ".join(str(end - start) for start, end in pairwise(edges)),
        "left": crop.left,
        "top": crop.top,
        "width": crop.bitmap.shape[1],
        "height": crop.bitmap.shape[0],
        "z_order": 0,
    }
