"""What the decode process answers about videos."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import av

from vision.domain.image import ImageSize, RgbImage
from vision.domain.media import MediaFacts
from vision.domain.video import Chunk
from vision.errors import CorruptVideo
from vision.media.facts_json import facts_to_json
from vision.media.frame_conversation import FrameConversation
from vision.media.limits import DecodeLimits
from vision.media.mapped_buffers import MappedBuffers
from vision.media.pulse import Pulse, processors
from vision.media.video.chunk_reading import ChunkReading
from vision.media.video.facts import describe
from vision.media.video.index import read_index
from vision.media.video.pixels import RgbWriter, Shape
from vision.media.video.source import VideoSource
from vision.media.video.still import read_still
from vision.media.wire import Message, Wire

_MAX_THREADS: Final = 16
_BYTES_PER_PIXEL: Final = 6
"""Of the widest pixels that a decoder gives; each of its threads keeps a frame or two."""
_MEMORY_SHARE: Final = 3


class VideoAnswers:
    """One for the life of the process. Every method may raise BadMedia, MemoryError."""

    def __init__(self, wire: Wire, limits: DecodeLimits, buffers: MappedBuffers) -> None:
        self._wire, self._limits, self._buffers = wire, limits, buffers
        self._described: tuple[object, tuple[MediaFacts, Shape]] | None = None
        self._open: tuple[object, VideoSource] | None = None

    def facts(self, file: int) -> MediaFacts:
        return self._describe(file)[0]

    def index(self, file: int) -> Message:
        """Times and keyframe flags are the body: n int64, then n bytes."""
        facts, _ = self._describe(file)
        pulse = Pulse(self._wire, self._limits.seconds)
        index = read_index(file, self._limits, facts=facts, beat=pulse.beat)
        frames = index.frames
        header = {
            "facts": facts_to_json(index.facts),
            "time_base": [frames.time_base.numerator, frames.time_base.denominator],
            "frames_declared": index.frames_declared,
            "damage": index.damage,
        }
        return Message(header, frames.pts.tobytes() + frames.is_keyframe.tobytes())

    def still(
        self, file: int, at_seconds: float, allocate: Callable[[ImageSize], RgbImage]
    ) -> tuple[RgbImage, Message]:
        """The upright picture, in the memory that `allocate` gave, and the answer about it."""
        facts, shape = self._describe(file)
        pulse = Pulse(self._wire, self._limits.seconds)
        with VideoSource(file, self._limits, threads=self._threads(shape)) as source:
            frame = read_still(source, at_seconds, beat=pulse.beat)
            target = allocate(shape.upright)
            try:
                RgbWriter(shape).write(frame, target)
            except av.FFmpegError as error:
                raise CorruptVideo("the frame's pixels can't be read") from error
            tb = source.time_base
            header = {
                "facts": facts_to_json(facts),
                "pts": frame.pts,
                "time_base": [tb.numerator, tb.denominator],
            }
        return target, Message(header)

    def serve_frames(self, file: int, chunk: Chunk) -> Message:
        """Holds the conversation of FRAMES; returns the answer to its LEAVE."""
        pulse = Pulse(self._wire, self._limits.seconds)
        facts, shape = self._describe(file)
        with ExitStack() as on_failure:
            source = self._source(file, shape)
            on_failure.callback(source.close)
            self._wire.send(Message({"facts": facts_to_json(facts)}))
            reading = ChunkReading(source, chunk, beat=pulse.beat)
            conversation = FrameConversation(self._wire, self._buffers, pulse, size=shape.upright)
            answer = conversation.hold(reading, RgbWriter(shape))
            self._open = _identity(file), source
            on_failure.pop_all()
        return answer

    def _source(self, file: int, shape: Shape) -> VideoSource:
        """The one that is open from the last chunk if it was of the same file: opening costs as
        much as ten frames."""
        kept, self._open = self._open, None
        threads = self._threads(shape)
        if kept is not None:
            if kept[0] == _identity(file) and kept[1].threads == threads:
                return kept[1]
            kept[1].close()
        return VideoSource(file, self._limits, threads=threads)

    def _describe(self, file: int) -> tuple[MediaFacts, Shape]:
        """What it was last time, for the next chunk of the same file."""
        identity = _identity(file)
        if self._described is None or self._described[0] != identity:
            self._described = identity, describe(file, self._limits)
        return self._described[1]

    def _threads(self, shape: Shape) -> int:
        """One more than processors, as FFmpeg does it, unless the frames are huge."""
        room = self._limits.memory_bytes // _MEMORY_SHARE
        fitting = room // (shape.stored.pixels * _BYTES_PER_PIXEL)
        return max(1, min(processors() + 1, _MAX_THREADS, fitting))


def _identity(file: int) -> object:
    """Equal for descriptors of the same unchanged file."""
    status = os.fstat(file)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
