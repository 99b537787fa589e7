"""An actor: one object that looks the same in every frame, and where it stands in each."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samples.filming.route import Route, Waypoint
from samples.scenes.backgrounds import Yard
from samples.scenes.objects import KINDS, painted
from samples.scenes.paint import Sprite
from samples.scenes.scene import SPRITE_SIDES

STEPS = tuple(math.sin(math.pi * (share - 0.5)) for share in np.linspace(0, 1, 9))
"""The stages of a stride that are painted, from legs crossed to legs apart."""
STANDING = (0.0,)
WALKERS = ("person", "dog")
STRIDE_LENGTH = 0.55
"""Of a whole stride, in sides of the sprite."""
LEAN_DEGREES = 3.0
OVERSAMPLING = 2
"""Sprites are drawn so many times finer and averaged, so that edges don't flicker."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a script says about one object."""

    label: str
    seed: int
    """Of its looks."""
    route: tuple[Waypoint, ...]
    scale: float = 1.3
    """Times the usual size at its depth."""
    hop: float = 0.0
    """How high it bounces, in sides of its sprite."""
    hop_seconds: float = 0.7


@dataclass(frozen=True, slots=True)
class Placement:
    """An actor in one frame; pixels, fractions included."""

    column: float
    """Of its middle."""
    foot: float
    """The row where it would touch the floor."""
    lift: float
    """How far above the floor it is."""
    width: float
    height: float
    degrees: float
    sprite: Sprite


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A drawn actor: where its upper left corner is in the picture, and its pixels."""

    left: int
    top: int
    color: NDArray[np.float32]
    """(h, w, 3), premultiplied by coverage."""
    coverage: NDArray[np.float32]
    """(h, w), 0 to 1."""

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.coverage.shape[0], self.coverage.shape[1]


class Actor:
    """A part with its sprites painted."""

    def __init__(self, part: Part, yard: Yard) -> None:
        self._part, self._route, self._yard = part, Route(part.route), yard
        labels = [kind.label for kind in KINDS]
        self.class_id = labels.index(part.label) + 1
        self._kind = KINDS[self.class_id - 1]
        rng = np.random.default_rng(part.seed)
        self._shape = rng.uniform(0.95, 1.05, 2)
        self._degrees = rng.uniform(-1, 1) * LEAN_DEGREES
        needed = self._size(self._route.nearest) * OVERSAMPLING
        side = next((side for side in SPRITE_SIDES if side >= needed), SPRITE_SIDES[-1])
        steps = STEPS if part.label in WALKERS else STANDING
        self._facing_left = tuple(self._painted(side, step) for step in steps)
        self._facing_right = tuple(self._painted(side, step) for step in steps)
        for sprite in self._facing_right:
            sprite.mirror()

    def at(self, seconds: float) -> Placement:
        spot = self._route.at(seconds)
        height, width = self._yard.pixels.shape[:2]
        size = self._size(spot.depth)
        sprites = self._facing_left if spot.is_facing_left else self._facing_right
        stride = 2 * math.pi * spot.travelled * width / (STRIDE_LENGTH * size)
        stage = round((1 + math.sin(stride)) / 2 * (len(sprites) - 1))
        return Placement(
            column=spot.across * width,
            foot=self._yard.horizon + spot.depth * (height - self._yard.horizon),
            lift=self._hop(seconds) * size,
            width=size * self._shape[0],
            height=size * self._shape[1],
            degrees=self._degrees,
            sprite=sprites[stage],
        )

    def _painted(self, side: int, step: float) -> Sprite:
        # The same seed each time: only the legs differ.
        return painted(self._kind, np.random.default_rng(self._part.seed), side=side, step=step)

    def _size(self, depth: float) -> float:
        usual = min(self._yard.pixels.shape[:2]) * self._kind.relative_size
        return float(usual * (0.45 + 0.75 * depth) * self._part.scale)

    def _hop(self, seconds: float) -> float:
        share = seconds / self._part.hop_seconds % 1.0
        return self._part.hop * 4 * share * (1 - share)


def drawn(placement: Placement) -> Patch:
    """The sprite at its place to a fraction of a pixel, so that slow objects don't jerk."""
    reach = max(placement.width, placement.height) * 0.1 + 2
    left = math.floor(placement.column - placement.width / 2 - reach)
    top = math.floor(placement.foot - placement.lift - placement.height - reach)
    size = (
        math.ceil(placement.width + 2 * reach) + 1,
        math.ceil(placement.height + 2 * reach) + 1,
    )
    matrix = _sprite_to_patch(placement, left=left, top=top)
    color, coverage = (
        _warped(layer, matrix, size)
        for layer in (placement.sprite.color, placement.sprite.coverage)
    )
    return Patch(left, top, color, coverage / np.float32(255))


def _sprite_to_patch(placement: Placement, *, left: int, top: int) -> NDArray[np.float64]:
    """(2, 3): from the sprite's pixels to those of the oversampled patch, tilted at the foot."""
    side = placement.sprite.side
    across, down = placement.width / side, placement.height / side
    turn = math.radians(placement.degrees)
    scaled = np.array([[across, 0, -placement.width / 2], [0, down, -placement.height]])
    turned = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    matrix = turned @ scaled
    matrix[:, 2] += placement.column - left, placement.foot - placement.lift - top
    matrix *= OVERSAMPLING
    # OpenCV means the middle of a pixel by its whole number.
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    return np.asarray(matrix, np.float64)


def _warped(
    layer: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float32]:
    fine = cv2.warpAffine(layer, matrix, (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING))
    return np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), np.float32)
