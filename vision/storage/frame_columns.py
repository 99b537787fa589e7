"""Which frames of a chunk were analysed, packed into one value of one row."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vision.domain.video import FrameFindings

INDEX_TYPE, TIME_TYPE, COUNT_TYPE = np.dtype("<i8"), np.dtype("<f8"), np.dtype("<i4")


@dataclass(frozen=True, slots=True, eq=False)
class FrameColumns:
    """In order of time, frames without detections included."""

    frame_index: NDArray[np.int64]
    pts_seconds: NDArray[np.float64]
    detections: NDArray[np.int64]
    """How many each frame has."""

    @classmethod
    def of(cls, frames: Sequence[FrameFindings]) -> Self:
        """Raises ValueError for frames out of order."""
        columns = cls(
            np.array([one.frame_index for one in frames], np.int64),
            np.array([one.pts_seconds for one in frames], np.float64),
            np.array([len(one.detections) for one in frames], np.int64),
        )
        if (np.diff(columns.frame_index) <= 0).any() or not (
            np.diff(columns.pts_seconds) >= 0
        ).all():
            raise ValueError("the frames of a chunk come in order of time, each once")
        return columns

    def packed(self) -> bytes:
        """Steps of an index are nearly all equal, and so are the high bytes of times: small."""
        steps = np.diff(self.frame_index, prepend=0).astype(INDEX_TYPE)
        times = np.ascontiguousarray(self.pts_seconds, TIME_TYPE).view(np.uint8)
        by_place = np.ascontiguousarray(times.reshape(-1, TIME_TYPE.itemsize).T)
        counts = self.detections.astype(COUNT_TYPE)
        return zlib.compress(steps.tobytes() + by_place.tobytes() + counts.tobytes())

    @classmethod
    def unpacked(cls, packed: bytes, frames: int) -> Self:
        """What `packed` made of so many frames."""
        data = np.frombuffer(zlib.decompress(packed), np.uint8)
        ends = np.cumsum([INDEX_TYPE.itemsize * frames, TIME_TYPE.itemsize * frames])
        steps, times, counts = np.split(data, ends)
        by_time = np.ascontiguousarray(times.reshape(TIME_TYPE.itemsize, frames).T)
        return cls(
            np.cumsum(steps.view(INDEX_TYPE)).astype(np.int64),
            by_time.view(TIME_TYPE).reshape(frames).astype(np.float64),
            counts.view(COUNT_TYPE).astype(np.int64),
        )
