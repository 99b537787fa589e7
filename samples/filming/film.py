"""A film: actors moving through a yard before a camera that stands still."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samples.filming.actor import Actor, Part, Placement, drawn
from samples.scenes.backgrounds import empty_yard
from samples.scenes.camera import SteadyCamera
from samples.scenes.paint import Field
from samples.scenes.scene import Scene

SHADOW = 0.4
SHADOW_WIDTH, SHADOW_HEIGHT = 0.45, 0.07
"""Radii in sizes of the object."""
SHADOW_BITS = 4
SHADOW_EDGE = 4
"""Pixels around it for its blur."""
HALF_COVERED = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class FilmFrame:
    """One frame. Object k of the scene is actor k - 1 of the film, in every frame."""

    scene: Scene
    inside_areas: NDArray[np.int64]
    """(n,) pixels of each object within the picture, hidden ones included."""


class Film:
    """The same frames every time for one seed, on the same OpenCV."""

    def __init__(self, seed: int, parts: Sequence[Part], *, height: int, width: int) -> None:
        rng = np.random.default_rng(seed)
        self._seed = seed
        self._yard = empty_yard(rng, height=height, width=width)
        self._camera = SteadyCamera.from_chance(rng, height=height, width=width)
        self._actors = tuple(Actor(part, self._yard) for part in parts)

    def frame(self, index: int, seconds: float) -> FilmFrame:
        """What the camera sees at that time; `index` chooses the noise."""
        canvas = _Canvas(self._yard.pixels)
        placements = [actor.at(seconds) for actor in self._actors]
        # Far objects first, so that near ones cover them.
        for number in sorted(range(len(placements)), key=lambda one: placements[one].foot):
            canvas.stand(placements[number], number + 1)
        rng = np.random.default_rng((self._seed, index))
        scene = Scene(
            image=self._camera.photographed(rng, canvas.pixels),
            instances=canvas.instances,
            class_ids=np.array([actor.class_id for actor in self._actors], np.int64),
            full_areas=canvas.areas(canvas.full, len(placements)),
        )
        return FilmFrame(scene, canvas.areas(canvas.inside, len(placements)))


class _Canvas:
    """The yard while objects are put into it."""

    def __init__(self, yard: Field) -> None:
        self.pixels = yard.copy()
        self.instances: NDArray[np.uint8] = np.zeros(yard.shape[:2], np.uint8)
        self.full: dict[int, int] = {}
        self.inside: dict[int, int] = {}

    def stand(self, placement: Placement, number: int) -> None:
        self._shade(placement)
        patch = drawn(placement)
        solid = patch.coverage > HALF_COVERED
        self.full[number] = int(np.count_nonzero(solid))
        there, here = self._overlap(patch.left, patch.top, patch.sides)
        self.inside[number] = int(np.count_nonzero(solid[here]))
        # Colour is premultiplied by coverage, so it is only added.
        bare = 1 - patch.coverage[here][..., None]
        self.pixels[there] = self.pixels[there] * bare + patch.color[here]
        self.instances[there][solid[here]] = number

    def areas(self, counted: dict[int, int], count: int) -> NDArray[np.int64]:
        return np.array([counted[number] for number in range(1, count + 1)], np.int64)

    def _shade(self, placement: Placement) -> None:
        """A contact shadow, fainter under an object in the air."""
        radii = placement.width * SHADOW_WIDTH, placement.height * SHADOW_HEIGHT
        left = math.floor(placement.column - radii[0]) - SHADOW_EDGE
        top = math.floor(placement.foot - radii[1]) - SHADOW_EDGE
        sides = (
            math.ceil(2 * radii[1]) + 2 * SHADOW_EDGE,
            math.ceil(2 * radii[0]) + 2 * SHADOW_EDGE,
        )
        shadow = np.zeros(sides, np.float32)
        fixed = 1 << SHADOW_BITS
        middle = (placement.column - left) * fixed, (placement.foot - 1 - top) * fixed
        cv2.ellipse(
            shadow,
            (round(middle[0]), round(middle[1])),
            (round(radii[0] * fixed), round(radii[1] * fixed)),
            *(0, 0, 360, (1.0,), -1, cv2.LINE_8, SHADOW_BITS),
        )
        strength = SHADOW / (1 + 2 * placement.lift / placement.height)
        there, here = self._overlap(left, top, sides)
        self.pixels[there] *= (1 - strength * cv2.blur(shadow, (5, 5))[here])[..., None]

    def _overlap(
        self, left: int, top: int, sides: tuple[int, int]
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part of the picture that a patch of (rows, columns) lies on, and that part of it."""
        rows = _span(top, sides[0], within=self.instances.shape[0])
        columns = _span(left, sides[1], within=self.instances.shape[1])
        here = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        return (rows, columns), here


def _span(start: int, length: int, *, within: int) -> slice:
    """The part of start to start + length that lies in 0 to `within`; possibly nothing."""
    first = min(max(start, 0), within)
    return slice(first, max(min(start + length, within), first))
