"""The algorithms that follow objects, and the parameters with which they run."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from trackers import BoTSORTTracker, ByteTrackTracker, OCSORTTracker, SORTTracker
from trackers.core.base import BaseTracker

from vision.pipelines.stages import TRACK_PARAMETERS, TrackStage

DEFAULTS: Mapping[str, float | int] = MappingProxyType(
    {
        "track_activation_threshold": 0.5,
        "minimum_consecutive_frames": 2,
        "minimum_iou_threshold": 0.1,
        "high_conf_det_threshold": 0.5,
    }
)
"""Of every algorithm that has the parameter.

The library's own suit detectors of many low scores: an object that always has 0.55 would never be
followed. Here detect.min_score, 0.5 by default, has already chosen. Two frames and an overlap of
0.1 are the library's for ByteTrack. On synthetic crowds (8 objects, a tenth missed, scores 0.8 ±
0.15) its 0.6 and three frames for OC-SORT gave MOTA 0.54 instead of 0.87 at 25 frames a second,
and its overlap of 0.3 for SORT gave IDF1 0.69 instead of 0.83 at 5.
"""
LOST_SECONDS = 1.0
LOST_FRAMES = 5
"""An object may be out of sight for so long, or for so many analysed frames if that is longer. On
the same crowds at 1.25 frames a second, one second gave IDF1 0.20, five frames 0.92."""
LEAST_LOST_FRAMES = 1.5
BUFFER_PER_SECOND = 30
"""The library counts lost_track_buffer in frames of 30 a second, whatever the video's rate."""
USUAL_RATE = 30.0

_TRACKERS: Mapping[str, Callable[..., BaseTracker]] = MappingProxyType(
    {
        "bytetrack": ByteTrackTracker,
        "ocsort": OCSORTTracker,
        "botsort": partial(BoTSORTTracker, enable_cmc=False),
        "sort": SORTTracker,
    }
)


@dataclass(frozen=True, slots=True)
class Settled:
    """An algorithm with every parameter."""

    parameters: Mapping[str, object]
    """For people and for provenance: the algorithm and what it runs with."""
    make: Callable[[], BaseTracker]
    """A tracker that has seen nothing yet."""
    minimum_iou: float
    unnamed_frames: int
    """In how many frames the library sees an object before the one where it names it."""
    forgets_names: bool
    """Whether the library leaves out the name also when an object is seen again after a gap."""


def settle(stage: TrackStage, pts_seconds: NDArray[np.float64]) -> Settled:
    """What was asked, and for the rest the defaults at this video's rate of analysed frames."""
    spacing = _typical_spacing(pts_seconds)
    rate = float(f"{1 / spacing:.6g}") if spacing else USUAL_RATE
    buffer = math.ceil(_lost_seconds(stage, spacing) * BUFFER_PER_SECOND)
    values = _values(stage)
    frames = int(values["minimum_consecutive_frames"])
    is_ocsort = stage.algorithm == "ocsort"
    make = _TRACKERS[stage.algorithm]
    return Settled(
        parameters={
            "algorithm": stage.algorithm,
            **values,
            "lost_track_seconds": buffer / BUFFER_PER_SECOND,
            "frame_rate": rate,
        },
        make=partial(make, lost_track_buffer=buffer, frame_rate=rate, **values),
        minimum_iou=float(values.get("minimum_iou_threshold", DEFAULTS["minimum_iou_threshold"])),
        # OC-SORT doesn't count the first sight of an object, the others do; none names it at once.
        unnamed_frames=frames if is_ocsort else max(1, frames - 1),
        forgets_names=is_ocsort,
    )


def _values(stage: TrackStage) -> dict[str, int | float]:
    """Of all parameters that the library has under the same name."""
    values = {name: DEFAULTS[name] for name in sorted(TRACK_PARAMETERS[stage.algorithm])}
    return values | {name: value for name, value in stage.given.items() if name in values}


def _lost_seconds(stage: TrackStage, spacing: float) -> float:
    asked = stage.lost_track_seconds
    lost = max(LOST_SECONDS, LOST_FRAMES * spacing) if asked is None else asked
    # Measured from one sight to the next: below the distance of frames nothing would be followed.
    return max(lost, LEAST_LOST_FRAMES * spacing)


def _typical_spacing(pts_seconds: NDArray[np.float64]) -> float:
    """Seconds between two analysed frames; 0 where there is but one moment."""
    steps = np.diff(pts_seconds)
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else 0.0
