"""Recorded video: its frames in time, the pieces it is worked on in, and what was found in them.

A frame's time is its presentation timestamp (PTS), an integer in units of the stream's time base;
never its index divided by a frame rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vision.domain.chain import Link
from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.media import MediaFacts


@dataclass(frozen=True, slots=True, eq=False)
class FrameIndex:
    """Every frame of a video stream as its packets announce it, in order of presentation."""

    time_base: Fraction
    """Seconds in one unit of PTS."""
    pts: NDArray[np.int64]
    """(n,) int64, ascending; may be negative, may repeat."""
    is_keyframe: NDArray[np.bool_]
    """(n,): decoding can start here."""

    def __len__(self) -> int:
        return len(self.pts)

    def seconds(self) -> NDArray[np.float64]:
        """(n,) float64: the times of the frames."""
        return pts_to_seconds(self.pts, self.time_base)


def pts_to_seconds(pts: NDArray[np.int64], time_base: Fraction) -> NDArray[np.float64]:
    """In one rounding each, so that every part of the product computes the same float64."""
    return pts.astype(np.float64) * time_base.numerator / time_base.denominator


@dataclass(frozen=True, slots=True, eq=False)
class VideoIndex:
    """What reading all packets of a video file tells, before any frame is decoded."""

    facts: MediaFacts
    """With the exact duration and count; see MediaFacts."""
    frames: FrameIndex
    frames_declared: int
    """As many as the file says it has, at least `len(frames)`; more when it was cut short."""
    damage: str | None
    """Why packets could not be read to the end, for people; None for a sound file."""


@dataclass(frozen=True, slots=True)
class WantedFrame:
    """A frame to hand out."""

    pts: int
    frame_index: int
    """Its place in the whole video in order of presentation, from 0."""
    keyframe_pts: int
    """Of the keyframe from which decoding gets there: the last one not after it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one worker reads of a video in one go: the frames with start_pts <= PTS < end_pts."""

    number: int
    """From 1, in order of time: the unit's `chunk`."""
    start_pts: int
    """Of a keyframe, or of the first frame."""
    end_pts: int | None
    """Exclusive; None is the end of the file."""
    first_index: int
    """Frame index of the first frame of the chunk."""
    time_base: Fraction
    frames: int
    """How many will have results if nothing is damaged: all that are handed out but for a lead."""
    seconds: float
    """Of the video, from the chunk's start to the next one's."""
    wanted: tuple[WantedFrame, ...] | None
    """Ascending; None is every frame. A frame that can't be had is replaced by nothing."""
    link: Link | None = None
    """Of a followed video: then a chunk begins with what the one before it left. None for chunks
    that workers may take in any order."""

    def to_json(self) -> dict[str, object]:
        wanted = (
            None
            if self.wanted is None
            else [[one.pts, one.frame_index, one.keyframe_pts] for one in self.wanted]
        )
        link = {} if self.link is None else {"link": self.link.to_json()}
        return {
            "number": self.number,
            "start_pts": self.start_pts,
            "end_pts": self.end_pts,
            "first_index": self.first_index,
            "time_base": [self.time_base.numerator, self.time_base.denominator],
            "frames": self.frames,
            "seconds": self.seconds,
            "wanted": wanted,
            **link,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        wanted, link = document["wanted"], document.get("link")
        return cls(
            number=document["number"],
            start_pts=document["start_pts"],
            end_pts=document["end_pts"],
            first_index=document["first_index"],
            time_base=Fraction(*document["time_base"]),
            frames=document["frames"],
            seconds=document["seconds"],
            wanted=None if wanted is None else tuple(WantedFrame(*one) for one in wanted),
            link=None if link is None else Link.from_json(link),
        )


def is_ready_at_once(chunk: Chunk) -> bool:
    """Whether it waits for no other one."""
    return chunk.link is None or chunk.number == chunk.link.first


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded frame."""

    image: RgbImage
    """Upright."""
    frame_index: int
    pts_seconds: float


@dataclass(frozen=True, slots=True)
class ReadingEnd:
    """How reading a chunk went."""

    frames: int
    """Handed out."""
    damage: str | None
    """What was wrong, for people; None when every wanted frame could be had as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameFindings:
    """What was found in one frame, possibly nothing."""

    frame_index: int
    pts_seconds: float
    findings: Findings

    @property
    def detections(self) -> Detections:
        return self.findings.detections


@dataclass(frozen=True, slots=True, eq=False)
class FrameTimes:
    """The frames of a video that were analysed, in order."""

    frame_index: NDArray[np.int64]
    """(n,)"""
    pts_seconds: NDArray[np.float64]
    """(n,)"""

    def __len__(self) -> int:
        return len(self.frame_index)
