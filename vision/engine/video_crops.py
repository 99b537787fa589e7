"""The best moment of each track as a JPEG: evidence a person can look at."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np

from vision.domain.image import RgbImage
from vision.domain.track import Track
from vision.domain.video import Frame, VideoIndex
from vision.engine.station import OnBeat, VideoReader
from vision.engine.video_pieces import single_frames
from vision.engine.video_reading import FrameReading
from vision.errors import BadMedia
from vision.media.encode import encode
from vision.pipelines.boxes import cut_out

log = logging.getLogger(__name__)

MARGIN = 0.1
"""Of the box's side, on each side: a little of what is around it tells what it is."""
MEDIA_TYPE = "image/jpeg"

Places: TypeAlias = tuple[tuple[int, int] | None, ...]
"""Per track the offset and the length in the file; None for a picture that couldn't be had."""


def write_crops(
    reader: VideoReader,
    source: Path | bytes,
    index: VideoIndex,
    tracks: Sequence[Track],
    file: BinaryIO,
    *,
    on_beat: OnBeat,
) -> Places:
    """One after the other into `file`; where each is, in the order of the tracks.

    Frames that can't be had leave gaps. Raises what `on_beat` raises.
    """
    packer = _Packer(tracks, file)
    positions = packer.positions(len(index.frames))
    if not len(positions):
        return packer.places()
    try:
        chunk = single_frames(index, positions)
        with FrameReading(reader, source, chunk, on_beat=on_beat) as frames:
            for frame in frames:
                packer.pack(frame)
    except BadMedia as error:
        log.warning("no picture of some tracks", extra={"error": str(error)})
    return packer.places()


class _Packer:
    def __init__(self, tracks: Sequence[Track], file: BinaryIO) -> None:
        self._tracks = tracks
        self._file = file
        self._places: list[tuple[int, int] | None] = [None] * len(tracks)
        self._by_frame: dict[int, list[int]] = defaultdict(list)
        for number, track in enumerate(tracks):
            self._by_frame[track.best.frame_index].append(number)

    def positions(self, frames: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Of the frames that are wanted, ascending, in a video of so many."""
        return np.array(sorted(index for index in self._by_frame if index < frames), np.int64)

    def pack(self, frame: Frame) -> None:
        for number in self._by_frame[frame.frame_index]:
            box = self._tracks[number].best.box
            picture = encode(cropped(frame.image, box), MEDIA_TYPE)
            self._places[number] = self._file.tell(), len(picture)
            self._file.write(picture)

    def places(self) -> Places:
        return tuple(self._places)


def cropped(image: RgbImage, box: tuple[float, float, float, float]) -> RgbImage:
    """What lies in the box and a little around it: at least one pixel."""
    x1, y1, x2, y2 = box
    margin_x, margin_y = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
    return cut_out(image, (x1 - margin_x, y1 - margin_y, x2 + margin_x, y2 + margin_y))
