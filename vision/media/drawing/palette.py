"""Which colour a label has: the same in every picture, on every machine."""

import zlib
from typing import TypeAlias

Color: TypeAlias = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""

BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)

_COLORS: tuple[Color, ...] = (
    (255, 64, 65),
    (255, 150, 110),
    (255, 128, 0),
    (250, 185, 20),
    (245, 225, 50),
    (158, 211, 6),
    (30, 180, 70),
    (5, 222, 164),
    (14, 168, 156),
    (25, 214, 232),
    (30, 150, 240),
    (131, 197, 254),
    (105, 120, 255),
    (183, 170, 255),
    (181, 96, 255),
    (250, 142, 255),
    (243, 51, 178),
    (254, 157, 178),
)
"""Around the colour circle, as strong as a screen shows them; none of them dull or dark."""

_SEED = 1808712
"""Chosen so that the demo models' labels, and the commonest of COCO, differ from each other."""
_STRIDE = 7
"""Neighbouring instances get colours far apart; no common divisor with the palette's length."""


def label_color(label: str) -> Color:
    return _COLORS[zlib.crc32(label.encode(), _SEED) % len(_COLORS)]


def instance_color(index: int) -> Color:
    return _COLORS[index * _STRIDE % len(_COLORS)]


def readable_on(background: Color) -> Color:
    """Black or white, whichever has the higher contrast by WCAG's relative luminance."""
    luminance = _luminance(background)
    contrast_of_black = (luminance + 0.05) / 0.05
    contrast_of_white = 1.05 / (luminance + 0.05)
    return BLACK if contrast_of_black >= contrast_of_white else WHITE


def _luminance(color: Color) -> float:
    red, green, blue = (_linear(value / 255) for value in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
