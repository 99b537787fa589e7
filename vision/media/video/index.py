"""All packets of a video, without decoding: when each frame is shown, where decoding can start."""

import re
from array import array
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vision.domain.media import MediaFacts
from vision.domain.video import FrameIndex, VideoIndex, pts_to_seconds
from vision.errors import NoFrames
from vision.media.limits import DecodeLimits
from vision.media.video.complaints import Complaints
from vision.media.video.facts import (
    believable_fps,
    header_frames,
    header_seconds,
    require_length,
)
from vision.media.video.lagging import lagging
from vision.media.video.packet import VideoPacket
from vision.media.video.source import VideoSource

_WITH_TABLE = ("video/mp4", "video/quicktime")
_WITH_DURATION = ("video/webm", "video/x-matroska")
_DURATION_TAG = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)")
_CUT_SHORT_SHARE, _CUT_SHORT_SECONDS = 0.02, 1.0
"""A file whose frames end so much before its header says was cut short."""


class _Frames:
    """What the packets told, as far as they were read."""

    def __init__(self) -> None:
        self.pts, self.keys = array("q"), array("b")
        self.end_pts = 0
        self.hidden = 0

    def add(self, packet: VideoPacket) -> None:
        pts = packet.pts or 0
        self.pts.append(pts)
        self.keys.append(packet.is_keyframe)
        self.end_pts = max(self.end_pts, pts + (packet.duration or 0))


def read_index(
    file: int, limits: DecodeLimits, *, facts: MediaFacts, beat: Callable[[], None]
) -> VideoIndex:
    """`facts` as `describe` gives them; `beat` is called after each packet.

    Raises CorruptVideo, NoFrames, VideoTooLong.
    """
    # Opening reads ahead, so what there is to complain about may be heard there already.
    with Complaints() as complaints, VideoSource(file, limits, threads=1) as source:
        found = _read(source, complaints, beat)
        if not len(found.pts):
            raise NoFrames("the video has no frames")
        index = _sorted(found, source)
        seconds = index.seconds()
        ends = (found.end_pts, int(index.pts[-1]))
        end = float(pts_to_seconds(np.array([max(ends)]), source.time_base)[0])
        length = end - float(seconds[0])
        require_length(seconds=length, frames=len(index), limits=limits)
        declared = _declared(source, found, length)
        if source.trouble.times and source.media_type in _WITH_DURATION:
            declared = max(declared, len(index) + missing_between(index.pts))
        exact = replace(
            facts,
            duration_seconds=length,
            frame_count=len(index),
            average_fps=believable_fps(len(index) / length if length > 0 else None),
            start_seconds=float(seconds[0]),
        )
        return VideoIndex(exact, index, declared, _damage(source, len(index), declared))


def _read(source: VideoSource, complaints: Complaints, beat: Callable[[], None]) -> _Frames:
    found = _Frames()
    for packet in source.packets():
        beat()
        complaints.pass_on(source.trouble)
        _take(packet, source, found)
    complaints.pass_on(source.trouble)
    return found


def _take(packet: VideoPacket, source: VideoSource, found: _Frames) -> None:
    if not source.is_shown(packet):
        found.hidden += 1
        return
    found.add(packet)
    require_length(seconds=None, frames=len(found.pts), limits=source.limits)


def _sorted(found: _Frames, source: VideoSource) -> FrameIndex:
    pts = np.array(found.pts, np.int64)
    keys = np.array(found.keys, np.bool_)
    if source.dts_lag:
        # Nobody knows which of these frames is the keyframe's: decoding starts at the beginning.
        keys = np.arange(len(pts)) == 0
        pts = lagging(pts, source.dts_lag)
    order = np.argsort(pts, kind="stable")
    return FrameIndex(source.time_base, pts[order], keys[order])


def _declared(source: VideoSource, found: _Frames, length: float) -> int:
    """As many frames as the file says: by its table, by its count, or by its length.

    The number is only ever shown and compared, never used to make room.
    """
    read = len(found.pts) + source.trouble.corrupt_packets
    if source.media_type in _WITH_TABLE:
        table = len(source.stream.index_entries)
        if table <= read + found.hidden:
            return read
        return table - sum(entry.is_discard for entry in source.stream.index_entries)
    if source.media_type == "video/x-msvideo":
        return max(read, (header_frames(source) or 0) - found.hidden)
    by_length = _by_length(len(found.pts), length, _promised_seconds(source))
    return max(read, min(by_length, source.limits.max_video_frames))


def _promised_seconds(source: VideoSource) -> float:
    """How long a Matroska file says that its pictures go on; 0 where it doesn't."""
    if source.media_type not in _WITH_DURATION:
        return 0.0
    tag = _DURATION_TAG.fullmatch(source.stream.metadata.get("DURATION", ""))
    if tag:
        hours, minutes, seconds = tag.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    # The duration of the whole file is that of its longest stream, often the sound.
    return 0.0 if source.container.streams.audio else header_seconds(source) or 0.0


def _by_length(frames: int, length: float, whole: float) -> int:
    if length <= 0 or whole - length <= max(_CUT_SHORT_SECONDS, _CUT_SHORT_SHARE * whole):
        return frames
    return round(frames * whole / length)


def missing_between(pts: NDArray[np.int64]) -> int:
    """How many frames would fill the gaps, if all were as far apart as they typically are."""
    steps = np.diff(pts)
    typical = float(np.median(steps)) if len(steps) else 0.0
    if typical <= 0:
        return 0
    wide = steps[steps >= 2 * typical]
    return int((np.rint(wide / typical) - 1).sum())


def _damage(source: VideoSource, frames: int, declared: int) -> str | None:
    if source.trouble.first is not None:
        return source.trouble.first
    if declared > frames:
        return f"the file ends early: {frames} of {declared} frames are there"
    return None
