"""Labels on coloured chips that stay in the picture and out of each other's way."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vision.domain.image import ImageSize
from vision.media.drawing.canvas import Canvas, typeface
from vision.media.drawing.palette import Color, readable_on
from vision.media.drawing.strokes import fill_box

_PADDING = 0.35
"""Of the font's size, left and right of the text."""
_HEIGHT = 1.35
_BASELINE = 1.0
_MIN_FONT = 8
_MANY_LABELS, _CROWDED = 25, 0.75
"""Above so many labels, all of them are written smaller by this factor."""
_MAX_CHARACTERS = 48
_SLIDES = 4
"""Chip heights that a label may move down or up from its box's corner to find room."""


@dataclass(frozen=True, slots=True)
class Label:
    """A text and the box it belongs to."""

    text: str
    color: Color
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Chip:
    """A label with its size and font."""

    label: Label
    text: str
    font: int
    width: float
    height: float


def draw_labels(canvas: Canvas, labels: list[Label]) -> None:
    """The first ones get the best places."""
    font = canvas.font_size
    if len(labels) > _MANY_LABELS:
        font = max(_MIN_FONT, round(font * _CROWDED))
    chips = [_fitted(label, canvas.size, font=font) for label in labels]
    places = place(chips, canvas.size, gap=canvas.line / 2)
    for chip, (left, top) in reversed(list(zip(chips, places.tolist(), strict=True))):
        box = (left, top, left + chip.width, top + chip.height)
        fill_box(canvas, box, chip.label.color, radius=chip.height / 5)
        canvas.write(
            chip.text,
            readable_on(chip.label.color),
            left=left + _PADDING * chip.font,
            baseline=top + _BASELINE * chip.font,
            font=chip.font,
        )


def place(chips: list[Chip], size: ImageSize, *, gap: float) -> NDArray[np.float64]:
    """(n, 2) left and top for each chip: inside the picture, apart from earlier chips if any
    of the places near its box is free, else where it covers least of them."""
    taken = np.zeros((0, 4))
    for chip in chips:
        spots = _spots(chip, size, gap=gap)
        rectangles = np.hstack((spots, spots + np.array([chip.width, chip.height])))
        best = rectangles[int(np.argmin(_overlap(rectangles, taken)))]
        taken = np.vstack((taken, best))
    return taken[:, :2]


def _spots(chip: Chip, size: ImageSize, *, gap: float) -> NDArray[np.float64]:
    """(n, 2) left and top, best first: above the box, in its upper corners, below, in between."""
    x1, y1, x2, y2 = chip.label.box
    left, right = x1 - gap, x2 + gap - chip.width
    above, below = y1 + gap - chip.height, y2 - gap
    inside_top, inside_bottom = y1 - gap, y2 + gap - chip.height
    spots = [(left, above), (left, inside_top), (right, above), (right, inside_top)]
    spots += [(left, below), (left, inside_bottom), (right, below), (right, inside_bottom)]
    for slide in range(1, _SLIDES + 1):
        down = slide * chip.height
        spots += [(left, inside_top + down), (right, inside_top + down), (left, above - down)]
    room = (max(0.0, size.width - chip.width), max(0.0, size.height - chip.height))
    kept: NDArray[np.float64] = np.clip(np.array(spots), 0, room)
    return kept


def _overlap(rectangles: NDArray[np.float64], taken: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) area that each rectangle shares with those taken."""
    low = np.maximum(rectangles[:, None, :2], taken[None, :, :2])
    high = np.minimum(rectangles[:, None, 2:], taken[None, :, 2:])
    shared: NDArray[np.float64] = np.clip(high - low, 0, None).prod(axis=2).sum(axis=1)
    return shared


def _fitted(label: Label, size: ImageSize, *, font: int) -> Chip:
    """As large as asked, smaller or cut short where the picture is narrow."""
    text = "".join(filter(str.isprintable, label.text))[:_MAX_CHARACTERS]
    while font > _MIN_FONT and _width(text, font) > size.width:
        font -= 1
    while len(text) > 1 and _width(text, font) > size.width:
        text = text[:-2] + "…"
    return Chip(label, text, font, _width(text, font), _HEIGHT * font)


@lru_cache(maxsize=4096)  # the frames of a video say the same things again and again
def _width(text: str, font: int) -> float:
    return typeface(font).getlength(text) + 2 * _PADDING * font
