"""How frames go to the parent: it asks for several ahead, each with memory to put it in.

The decode process decodes while the parent works, because what it is asked for next already
waits on the wire. Every question gets exactly one answer, in order; `working` may come between.
"""

import av

from vision.domain.image import ImageSize, RgbImage
from vision.errors import BadMedia
from vision.media.decode_request import Operation, Request, error_answer
from vision.media.mapped_buffers import MappedBuffers
from vision.media.pulse import Pulse
from vision.media.video.chunk_reading import ChunkReading
from vision.media.video.pixels import RgbWriter
from vision.media.wire import Message, Wire, close_files


class FrameConversation:
    """The decode process's side of it, for one chunk."""

    def __init__(
        self, wire: Wire, buffers: MappedBuffers, pulse: Pulse, *, size: ImageSize
    ) -> None:
        self._wire, self._buffers, self._pulse, self._size = wire, buffers, pulse, size
        self._target: RgbImage | None = None
        self._has_left = False

    def hold(self, reading: ChunkReading, writer: RgbWriter) -> Message:
        """Answers each NEXT with a frame and, after the last one, with how it ended; returns the
        answer to LEAVE."""
        last = self._send_frames(reading, writer)
        while self._asked():
            self._answer(last)
        return Message({"left": True})

    def _send_frames(self, reading: ChunkReading, writer: RgbWriter) -> Message:
        try:
            for frame, index in reading.frames():
                if not self._asked():
                    break
                assert self._target is not None
                try:
                    writer.write(frame, self._target)
                except av.FFmpegError:
                    reading.spoiled(frame)
                    continue
                self._answer(Message({"index": index, "pts": frame.pts}))
        except (BadMedia, MemoryError) as error:
            return error_answer(error)
        return Message({"end": True, "damage": reading.damage() or writer.remark()})

    def _answer(self, message: Message) -> None:
        self._target = None
        self._wire.send(message)
        self._pulse.restart()

    def _asked(self) -> bool:
        """Waits for the next question; False once the parent has left."""
        if self._target is None and not self._has_left:
            message = self._wire.receive()
            request = Request.from_json(message.header)
            self._has_left = request.operation is not Operation.NEXT
            if not self._has_left:
                buffers = self._buffers
                buffers.forget(request.forgotten)
                self._target = buffers.pixels(request.buffer_id, message.files[0], self._size)
            close_files(message.files)
            self._pulse.restart()
        return not self._has_left
