"""Lines, boxes and dots by their distance functions: exact edges at any width."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from vision.media.drawing.canvas import Canvas, Coverage, Region
from vision.media.drawing.palette import BLACK, Color

_MIN_SEAM, _SEAM_SHARE, _SEAM_OPACITY = 1.0, 0.2, 0.4
_MAX_PIECE_LINES = 24
"""A slanted line is drawn in pieces of so many line widths: their crops are much smaller."""


def draw_box(
    canvas: Canvas, box: tuple[float, float, float, float], color: Color, *, width: float
) -> None:
    """An outline with round corners, centred on the box's edge, with a soft dark seam.

    The seam keeps a light colour visible on a light picture.
    """
    radius = 2 * width
    reach = width / 2 + max(_MIN_SEAM, _SEAM_SHARE * width)
    for region, sample in _frame(canvas, box, margin=radius + width):
        distance: Coverage = np.abs(_rounded_box(sample, box, radius=radius))
        seam = _cover(reach - distance) * np.float32(_SEAM_OPACITY)
        canvas.blend(BLACK, seam, region)
        canvas.blend(color, _cover(width / 2 - distance), region)


def fill_box(
    canvas: Canvas, box: tuple[float, float, float, float], color: Color, *, radius: float
) -> None:
    """A filled rectangle with round corners."""
    region = canvas.region(*box)
    if not region.is_empty:
        canvas.blend(color, _cover(-_rounded_box(region, box, radius=radius)), region)


def draw_line(
    canvas: Canvas,
    start: tuple[float, float],
    end: tuple[float, float],
    color: Color,
    *,
    width: float,
) -> None:
    """A straight line with round ends."""
    ends = np.array([start, end], np.float32)
    pieces = int(np.abs(ends[1] - ends[0]).max() // (_MAX_PIECE_LINES * width)) + 1
    knots = ends[0] + np.linspace(0, 1, pieces + 1)[:, None] * (ends[1] - ends[0])
    for first, last in pairwise(knots):
        low, high = np.minimum(first, last) - width, np.maximum(first, last) + width
        region = canvas.region(*low.tolist(), *high.tolist())
        if not region.is_empty:
            canvas.blend(color, _cover(width / 2 - _segment(region, first, last)), region)


def draw_dot(canvas: Canvas, center: tuple[float, float], color: Color, *, radius: float) -> None:
    draw_line(canvas, center, center, color, width=2 * radius)


def _cover(inside: Coverage) -> Coverage:
    """From the distance to the edge, positive inside: half a pixel either way is the edge."""
    cover: Coverage = np.clip(inside + np.float32(0.5), 0, 1)
    return cover


def _rounded_box(
    region: Region, box: tuple[float, float, float, float], *, radius: float
) -> Coverage:
    """Signed distance of every pixel to the edge, negative inside."""
    left, top, right, bottom = box
    x, y = region.pixel_centers()
    radius = min(radius, abs(right - left) / 2, abs(bottom - top) / 2)
    across = np.abs(x - (left + right) / 2) - (abs(right - left) / 2 - radius)
    down = np.abs(y - (top + bottom) / 2) - (abs(bottom - top) / 2 - radius)
    outside = np.hypot(np.maximum(across, 0), np.maximum(down, 0))
    distance: Coverage = outside + np.minimum(np.maximum(across, down), 0) - np.float32(radius)
    return distance


def _segment(
    region: Region, start: np.ndarray[tuple[int], np.dtype[np.float32]], end: Coverage
) -> Coverage:
    """Distance of every pixel to the segment."""
    x, y = region.pixel_centers()
    along = end - start
    length = float(along @ along)
    x, y = x - start[0], y - start[1]
    share = np.clip((x * along[0] + y * along[1]) / length, 0, 1) if length else np.float32(0)
    distance: Coverage = np.hypot(x - share * along[0], y - share * along[1])
    return distance


def _frame(
    canvas: Canvas, box: tuple[float, float, float, float], *, margin: float
) -> Iterator[tuple[Region, Region]]:
    """The four strips around the edge, without overlap: the inside isn't touched at all.

    Each with the part of it to look at: between the corners, all rows are like the first.
    """
    left, top, right, bottom = box
    outer = canvas.region(left - margin, top - margin, right + margin, bottom + margin)
    upper = canvas.region(left, top - margin, right, top + margin).bottom
    upper = max(outer.top, min(upper, outer.bottom))
    lower = max(upper, canvas.region(left, bottom - margin, right, bottom).top)
    inner_left = max(outer.left, min(outer.right, round(left + margin)))
    inner_right = max(inner_left, round(right - margin))
    for region in (
        Region(outer.left, outer.top, outer.right, upper),
        Region(outer.left, lower, outer.right, outer.bottom),
    ):
        if not region.is_empty:
            yield region, region
    for region in (
        Region(outer.left, upper, inner_left, lower),
        Region(inner_right, upper, outer.right, lower),
    ):
        if not region.is_empty:
            yield region, region.first_row
