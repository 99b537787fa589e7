"""The frames of one chunk, as they come out of the decode process."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from vision.domain.image import ImageSize
from vision.domain.video import Chunk, Frame, ReadingEnd
from vision.errors import DecoderCrashed, DecodeTimeout
from vision.media.decode_answer import raise_error_in
from vision.media.decode_launch import DecodeLaunch, ProcessDied
from vision.media.decode_request import Operation, Request
from vision.media.pixel_buffers import PixelBuffer, PixelBuffers
from vision.media.video_answer import damage_of, place_of
from vision.media.wire import Message

_AHEAD_BYTES: Final = 20 << 20
_LEAVE_SECONDS: Final = 5.0
"""For an answer that nobody wants any more; a new process costs less than waiting longer."""
_MIN_AHEAD, _MAX_AHEAD = 2, 8
"""Frames that the decode process may finish before they are fetched."""


def _too_late() -> None:
    raise TimeoutError


class FrameReader(Iterator[Frame]):
    """In order of time. The pixels stay valid after the reader is gone; their memory is used
    again when the last view of them is gone.

    Iterating raises BadMedia's children; DecoderCrashed when the decode process dies, for its
    other frames are then lost, and DecodeTimeout when it works on one for too long.
    """

    def __init__(
        self,
        launch: DecodeLaunch,
        buffers: PixelBuffers,
        *,
        chunk: Chunk,
        size: ImageSize,
        seconds: float,
        on_beat: Callable[[], None],
    ) -> None:
        """The decode process has just agreed to FRAMES. `size` is that of every frame."""
        self._launch, self._buffers = launch, buffers
        self._chunk, self._size = chunk, size
        self._seconds, self._on_beat = seconds, on_beat
        self._ahead = min(max(_AHEAD_BYTES // (size.pixels * 3), _MIN_AHEAD), _MAX_AHEAD)
        self._asked: deque[PixelBuffer] = deque()
        self._last_index = -1
        self._done = 0
        self._end: ReadingEnd | None = None

    @property
    def end(self) -> ReadingEnd:
        """How it went; only once the reader is exhausted."""
        assert self._end is not None, "the chunk is not read to its end yet"
        return self._end

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self._end is not None:
            raise StopIteration
        answer = self._next_answer()
        raise_error_in(answer, is_video=True)
        if "end" in answer.header:
            self._end = ReadingEnd(self._done, damage_of(answer))
            raise StopIteration
        index, seconds = place_of(answer, self._chunk, after=self._last_index)
        self._last_index = index
        self._done += 1
        image = self._buffers.image(self._asked.popleft(), self._size)
        return Frame(image=image, frame_index=index, pts_seconds=seconds)

    def close(self) -> None:
        """Ends the conversation, wherever it is; frames on their way are dropped."""
        try:
            if self._launch.is_alive:
                self._leave()
        finally:
            while self._asked:
                self._buffers.give_back(self._asked.popleft())

    def _leave(self) -> None:
        try:
            leave = Message(Request(Operation.LEAVE).to_json())
            self._launch.tell(leave, seconds=self._seconds)
            while "left" not in self._answer_soon().header:
                pass
        except (ProcessDied, TimeoutError):
            return  # it is dead then, and the next call starts another

    def _answer_soon(self) -> Message:
        """What it was asked for before, or the end; it may be a long way from the next frame."""
        return self._launch.answer(seconds=_LEAVE_SECONDS, on_beat=_too_late)

    def _ask(self) -> None:
        buffer = self._buffers.take()
        self._asked.append(buffer)
        forgotten = tuple(self._buffers.forgotten())
        request = Request(Operation.NEXT, buffer.id, forgotten)
        message = Message(request.to_json(), files=(buffer.file,))
        self._launch.tell(message, seconds=self._seconds)

    def _next_answer(self) -> Message:
        try:
            while len(self._asked) < self._ahead:
                self._ask()
            return self._launch.answer(seconds=self._seconds, on_beat=self._on_beat)
        except TimeoutError as error:
            raise DecodeTimeout(f"decoding a frame takes more than {self._seconds:g} s") from error
        except ProcessDied as error:
            if self._launch.used_up_its_processor_time:
                raise DecodeTimeout(
                    f"decoding a frame takes more than {self._seconds:g} s"
                ) from error
            raise DecoderCrashed("the decode process died in the middle of the video") from error
