"""Paint: colours, noise, and a sprite to draw one object on."""

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Color: TypeAlias = NDArray[np.float64]
"""(3,) RGB, 0..255 (may overshoot while it is being shaded)."""
Field: TypeAlias = NDArray[np.float32]
"""(height, width) or (height, width, 3) float32."""
Point: TypeAlias = tuple[float, float]

SUBPIXEL_BITS = 4
SUBPIXELS = 1 << SUBPIXEL_BITS
OPAQUE = 255


def clipped(color: Color | Sequence[float], factor: float = 1.0) -> tuple[float, float, float]:
    """A colour times `factor`, in the form OpenCV draws with."""
    red, green, blue = (float(min(max(value * factor, 0.0), 255.0)) for value in color)
    return red, green, blue


def random_color(rng: np.random.Generator, darkest: float = 60, brightest: float = 230) -> Color:
    """A saturated colour of any hue, its value between the two bounds."""
    hue, saturation = rng.uniform(0, 180), rng.uniform(50, 235)
    hsv = np.array([[[hue, saturation, rng.uniform(darkest, brightest)]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.float64)


def gray(value: float) -> Color:
    return np.full(3, value, np.float64)


def picked(rng: np.random.Generator, colors: Sequence[tuple[int, int, int]]) -> Color:
    """One of `colors`, slightly lighter or darker."""
    return np.array(colors[int(rng.integers(len(colors)))], np.float64) * rng.uniform(0.82, 1.12)


def smooth_noise(rng: np.random.Generator, height: int, width: int, *, cell: float) -> Field:
    """(height, width) float32 noise of unit deviation, its blobs about `cell` pixels wide."""
    rows, columns = int(height / cell) + 3, int(width / cell) + 3
    coarse = rng.standard_normal((rows, columns)).astype(np.float32)
    resized = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(resized, np.float32)


class Sprite:
    """One object on a square canvas: colour (premultiplied by coverage) and coverage.

    Coordinates are fractions of the side, x to the right and y down; the ground is y = 1.
    A `detail` is painted on top and does not widen the silhouette.
    """

    def __init__(self, side: int, *, step: float | None = None) -> None:
        """`step`: how far the legs are in their stride, -1 to 1; None leaves it to chance."""
        self.side = side
        self.step = step
        self.color = np.zeros((side, side, 3), np.uint8)
        self.coverage = np.zeros((side, side), np.uint8)

    def polygon(self, points: Sequence[Point], color: Color, *, detail: bool = False) -> None:
        corners = np.rint(np.array(points) * self.side * SUBPIXELS).astype(np.int32)
        cv2.fillPoly(self.color, [corners], clipped(color), cv2.LINE_AA, SUBPIXEL_BITS)
        if not detail:
            cv2.fillPoly(self.coverage, [corners], (OPAQUE,), cv2.LINE_AA, SUBPIXEL_BITS)

    def rectangle(self, low: Point, high: Point, color: Color, *, detail: bool = False) -> None:
        corners = [low, (high[0], low[1]), high, (low[0], high[1])]
        self.polygon(corners, color, detail=detail)

    def ellipse(
        self,
        center: Point,
        radii: Point,
        color: Color,
        *,
        degrees: float = 0.0,
        detail: bool = False,
    ) -> None:
        middle, size = self._fixed(center), self._fixed(radii)
        painted = clipped(color)
        for canvas, value in self._targets(painted, detail=detail):
            cv2.ellipse(
                canvas, middle, size, degrees, 0, 360, value, -1, cv2.LINE_AA, SUBPIXEL_BITS
            )

    def stroke(
        self, start: Point, end: Point, color: Color, *, width: float, detail: bool = False
    ) -> None:
        """A line with round ends, `width` in fractions of the side."""
        thickness = max(1, round(width * self.side))
        painted = clipped(color)
        for canvas, value in self._targets(painted, detail=detail):
            cv2.line(
                canvas,
                self._fixed(start),
                self._fixed(end),
                value,
                thickness,
                cv2.LINE_AA,
                SUBPIXEL_BITS,
            )

    def shade(self, factors: NDArray[np.float32]) -> None:
        """Multiplies the colour by `factors`, (side, side) or anything that broadcasts to it."""
        field = np.broadcast_to(factors, (self.side, self.side))[..., None]
        self.color = np.clip(self.color * field, 0, 255).astype(np.uint8)

    def stride(self, rng: np.random.Generator, longest: float) -> float:
        """How far feet are from below the hip, at most `longest`. Draws from `rng` either way."""
        chance = rng.uniform(-longest, longest)
        return chance if self.step is None else self.step * longest

    def mirror(self) -> None:
        self.color = np.ascontiguousarray(self.color[:, ::-1])
        self.coverage = np.ascontiguousarray(self.coverage[:, ::-1])

    def clip(self) -> None:
        """Removes painted details that overhang the silhouette."""
        self.color = (self.color * (self.coverage[..., None] / OPAQUE)).astype(np.uint8)

    def grid(self) -> tuple[Field, Field]:
        """(side, side) x and y coordinates of the pixel centres."""
        line = np.asarray((np.arange(self.side) + 0.5) / self.side, np.float32)
        across, down = np.meshgrid(line, line)
        return across, down

    def _fixed(self, point: Point) -> tuple[int, int]:
        scale = self.side * SUBPIXELS
        return round(point[0] * scale), round(point[1] * scale)

    def _targets(
        self, color: tuple[float, float, float], *, detail: bool
    ) -> list[tuple[NDArray[np.uint8], tuple[float, ...]]]:
        painted: list[tuple[NDArray[np.uint8], tuple[float, ...]]] = [(self.color, color)]
        return painted if detail else [*painted, (self.coverage, (OPAQUE,))]
