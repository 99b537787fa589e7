"""The three films that the repository ships."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

from samples.filming.actor import Part
from samples.filming.film import Film
from samples.filming.route import Waypoint

Codec: TypeAlias = Literal["h264", "vp9"]
FIRST_FILM_SEED = 30_000_000
MILLISECOND = Fraction(1, 1000)
LENGTH_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Script:
    """A film to be: who moves where, when the frames are taken, and how they are stored."""

    file_name: str
    seed_offset: int
    width: int
    """Of the upright picture, like the height."""
    height: int
    parts: tuple[Part, ...]
    time_base: Fraction
    pts: tuple[int, ...]
    """Of each frame, in units of the time base."""
    codec: Codec
    frames_per_second: int | None
    """None where it varies."""
    is_turned: bool = False
    """Stored lying on its left side, to be turned right by 90 degrees to view it."""

    @property
    def seconds(self) -> tuple[float, ...]:
        return tuple(float(pts * self.time_base) for pts in self.pts)

    @property
    def durations(self) -> tuple[int, ...]:
        """How long each frame is shown, in units of the time base."""
        end = round(LENGTH_SECONDS / self.time_base)
        return tuple(after - pts for pts, after in pairwise((*self.pts, end)))

    def film(self) -> Film:
        seed = FIRST_FILM_SEED + self.seed_offset
        return Film(seed, self.parts, height=self.height, width=self.width)


def _steady(frames_per_second: int) -> tuple[int, ...]:
    return tuple(range(LENGTH_SECONDS * frames_per_second))


def _irregular(seed: int) -> tuple[int, ...]:
    """Milliseconds, as a telephone takes them: jitter, dropped frames, and darker stretches."""
    return tuple(_taken(np.random.default_rng(seed)))


def _taken(rng: np.random.Generator) -> Iterator[int]:
    now = 0
    while now < LENGTH_SECONDS * 1000:
        yield now
        usual = 33 if now < 3000 else 100 if now < 5000 else 50
        dropped = int(rng.integers(1, 4)) if rng.random() < 0.1 else 0
        now += int(usual * (1 + dropped) + rng.integers(-9, 10))


def _way(*points: tuple[float, float, float]) -> tuple[Waypoint, ...]:
    return tuple(Waypoint(*point) for point in points)


CROSSING = Script(
    "yard-crossing.mp4",
    seed_offset=1,
    width=640,
    height=480,
    parts=(
        Part("barrel", 101, _way((0, 0.34, 0.75)), scale=1.15),
        Part("person", 102, _way((0, -0.2, 0.34), (9.0, 1.2, 0.38)), scale=1.2),
        Part("person", 103, _way((2.0, 1.2, 0.78), (8.0, -0.2, 0.82)), scale=1.2),
        Part("car", 104, _way((5.5, 1.3, 0.16), (10, -0.3, 0.18))),
        Part(
            "dog",
            105,
            _way(
                (0, -0.2, 0.97),
                (1.6, 0.2, 0.99),
                (3.4, -0.25, 0.97),
                (7.6, -0.25, 0.97),
                (9.6, 0.18, 0.99),
            ),
        ),
        Part("cone", 106, _way((0, 0.8, 0.96)), scale=1.0),
    ),
    time_base=Fraction(1, 25),
    pts=_steady(25),
    codec="h264",
    frames_per_second=25,
)
IRREGULAR = Script(
    "yard-irregular.mkv",
    seed_offset=2,
    width=640,
    height=480,
    parts=(
        Part("crate", 201, _way((0, 0.25, 0.5))),
        Part("truck", 202, _way((0.5, -0.35, 0.22), (6.5, 1.35, 0.24))),
        Part(
            "ball",
            203,
            _way((0, -0.1, 0.96), (3.5, 1.15, 0.9), (6, 1.15, 0.9), (9.8, -0.15, 0.97)),
            hop=0.35,
        ),
        Part("dog", 204, _way((2.5, 1.2, 0.75), (5, 0.66, 0.8), (6, 0.66, 0.8), (8, 1.25, 0.75))),
        Part(
            "person",
            205,
            _way((3.5, -0.2, 0.36), (6.5, 0.5, 0.4), (7.5, 0.5, 0.4), (10, 0.75, 0.44)),
        ),
    ),
    time_base=MILLISECOND,
    pts=_irregular(2),
    codec="vp9",
    frames_per_second=None,
)
TURNED = Script(
    "yard-turned.mp4",
    seed_offset=3,
    width=480,
    height=640,
    parts=(
        Part("barrel", 301, _way((0, 0.8, 0.97)), scale=1.0),
        Part("cone", 302, _way((0, 0.2, 0.5))),
        Part("car", 303, _way((0, -0.4, 0.14), (5, 1.4, 0.16))),
        Part("person", 304, _way((1, -0.2, 0.4), (9, 1.2, 0.42)), scale=1.2),
        Part("person", 305, _way((2.5, 1.2, 0.9), (8.5, -0.2, 0.92)), scale=1.2),
        Part(
            "ball",
            306,
            _way((0, 1.1, 0.98), (3.5, -0.2, 0.95), (5, -0.2, 0.86), (9.8, 1.25, 0.88)),
            hop=0.35,
        ),
    ),
    time_base=Fraction(1, 15),
    pts=_steady(15),
    codec="h264",
    frames_per_second=15,
    is_turned=True,
)
SCRIPTS: tuple[Script, ...] = (CROSSING, IRREGULAR, TURNED)
