"""Chunks beside those of a probe: what tracking's crops and drawing read of a video."""

import numpy as np
from numpy.typing import NDArray

from vision.domain.video import Chunk, VideoIndex, WantedFrame


def single_frames(index: VideoIndex, positions: NDArray[np.int64]) -> Chunk:
    """Hands out the frames at these positions: at least one, ascending, each once."""
    frames = index.frames
    before = _keyframe_before(index, positions)
    columns = (frames.pts[positions].tolist(), positions.tolist(), frames.pts[before].tolist())
    return Chunk(
        number=1,
        start_pts=int(frames.pts[before[0]]),
        end_pts=None,
        first_index=int(before[0]),
        time_base=frames.time_base,
        frames=len(positions),
        seconds=0.0,
        wanted=tuple(map(WantedFrame, *columns)),
    )


def stretch(index: VideoIndex, *, start: int, stop: int) -> Chunk:
    """Hands out all frames from the keyframe before position `start` to before `stop`."""
    frames = index.frames
    first = int(_keyframe_before(index, np.array([start]))[0])
    return Chunk(
        number=1,
        start_pts=int(frames.pts[first]),
        end_pts=int(frames.pts[stop]) if stop < len(frames) else None,
        first_index=first,
        time_base=frames.time_base,
        frames=stop - first,
        seconds=0.0,
        wanted=None,
    )


def _keyframe_before(index: VideoIndex, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions; the first frame stands for the keyframe of those before the first one."""
    keyframes = np.union1d([0], np.flatnonzero(index.frames.is_keyframe)).astype(np.int64)
    return keyframes[np.searchsorted(keyframes, positions, side="right") - 1]
