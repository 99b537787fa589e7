"""A route: where an object is at any time, smooth between the points it passes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TABLE_STEP_SECONDS = 0.01
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Waypoint:
    """Where an object is at one moment."""

    seconds: float
    across: float
    """Of its middle, in widths of the picture: 0 is the left border, 1 the right one."""
    depth: float
    """Of its foot on the floor: 0 is the horizon, 1 the lower border of the picture."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on a route."""

    across: float
    depth: float
    travelled: float
    """Widths of the picture covered since the start."""
    is_facing_left: bool


class Route:
    """Waypoints joined by smooth curves; before the first and after the last it stands still."""

    def __init__(self, waypoints: Sequence[Waypoint]) -> None:
        """One point or more, in order of time."""
        times = np.array([point.seconds for point in waypoints])
        count = int((times[-1] - times[0]) / TABLE_STEP_SECONDS) + 1
        self._times = np.linspace(times[0], times[-1], count)
        columns = ([point.across for point in waypoints], [point.depth for point in waypoints])
        self._across, self._depth = (smooth(times, np.array(c), self._times) for c in columns)
        moves = np.diff(self._across, prepend=self._across[0])
        self._travelled = np.cumsum(np.hypot(moves, np.diff(self._depth, prepend=self._depth[0])))
        self._is_facing_left = _last_direction(moves)

    @property
    def nearest(self) -> float:
        """The largest depth on the way."""
        return float(self._depth.max())

    def at(self, seconds: float) -> Spot:
        row = int(np.searchsorted(self._times, seconds).clip(0, len(self._times) - 1))
        across, depth, travelled = (
            float(np.interp(seconds, self._times, column))
            for column in (self._across, self._depth, self._travelled)
        )
        return Spot(across, depth, travelled, bool(self._is_facing_left[row]))


def smooth(
    times: NDArray[np.float64], values: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cubic curves through the values that never overshoot: equal values in a row stay level."""
    if len(times) == 1:
        return np.full(len(wanted), values[0])
    steps = np.diff(times)
    slopes = np.diff(values) / steps
    tangents = _tangents(slopes)
    row = np.searchsorted(times, wanted, side="right").clip(1, len(times) - 1) - 1
    t, step = (wanted - times[row]) / steps[row], steps[row]
    start = (1 + 2 * t) * (1 - t) ** 2 * values[row] + t * (1 - t) ** 2 * step * tangents[row]
    end = t**2 * (3 - 2 * t) * values[row + 1] + t**2 * (t - 1) * step * tangents[row + 1]
    return np.asarray(start + end, np.float64)


def _tangents(slopes: NDArray[np.float64]) -> NDArray[np.float64]:
    """At each point: the harmonic mean of the slopes beside it, 0 at a turning point."""
    before, after = slopes[:-1], slopes[1:]
    together = before + after
    safe = np.where(np.abs(together) < TINY, 1.0, together)
    inner = np.where(before * after > 0, 2 * before * after / safe, 0.0)
    return np.concatenate([slopes[:1], inner, slopes[-1:]])


def _last_direction(moves: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the last move so far went left; before the first move, what that one will be."""
    moving = np.flatnonzero(np.abs(moves) > TINY)
    if not len(moving):
        return np.ones(len(moves), bool)
    last = np.searchsorted(moving, np.arange(len(moves)), side="right") - 1
    return np.asarray(moves[moving[last.clip(0)]] < 0)
