"""Decoding in a separate, limited process: what a hostile file breaks is only that process."""

import json
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from vision.domain.image import RgbImage
from vision.domain.media import MediaFacts
from vision.domain.video import Chunk, Frame, VideoIndex
from vision.errors import DecoderCrashed, DecodeTimeout
from vision.media.decode_answer import facts_of, is_out_of_memory, raise_error_in
from vision.media.decode_launch import DecodeLaunch, ProcessDied, nothing
from vision.media.decode_request import ENCODABLE_TYPES, Operation, Request
from vision.media.decoded_image import DecodedImage
from vision.media.frame_reader import FrameReader
from vision.media.limits import DecodeLimits
from vision.media.overlay import Overlay
from vision.media.pixel_buffers import PixelBuffer, PixelBuffers
from vision.media.shared_files import opened
from vision.media.sniff import SNIFF_BYTES, VIDEO_TYPES, readable_type
from vision.media.video_answer import index_of, still_of
from vision.media.wire import Message


class DecodeProcess:
    """One decode process and the way to it; started at first use, and again when it died.

    Any thread may call; calls wait for each other. Every call raises BadMedia's children for
    what is wrong with the file, OSError when the path can't be opened, TooBusy and
    MissingDependency when no process can be started. After a fork, the copy starts its own.
    """

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._begin()
        _all_processes.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process. Pictures that were decoded stay valid."""
        with self._lock:
            if self._launch is not None:
                self._launch.kill()
            self._starter.shutdown()
            self._begin_without_lock()

    def probe(self, source: Path | bytes) -> MediaFacts:
        """What the header says; damage behind it shows only in `decode`."""
        with self._lock:
            answer = self._ask(Request(Operation.PROBE), source)
            return facts_of(answer, max_pixels=self._limits.max_pixels)

    def decode(self, source: Path | bytes) -> DecodedImage:
        """Upright RGB, without a copy from the memory that the decode process filled.

        That memory is used again when the last view of the pixels is gone.
        """
        with self._lock:
            answer, image = self._ask_for_pixels(Request(Operation.DECODE), source)
            facts = facts_of(answer, max_pixels=self._limits.max_pixels)
            return DecodedImage(image, facts)

    def index(self, source: Path | bytes, *, on_beat: Callable[[], None] = nothing) -> VideoIndex:
        """Of a video: the times of all its frames, from its packets; none is decoded.

        `on_beat` is called about every second meanwhile; what it raises ends the work.
        """
        with self._lock:
            answer = self._ask(Request(Operation.INDEX), source, on_beat=on_beat)
            return index_of(answer, self._limits)

    @contextmanager
    def frames(
        self, source: Path | bytes, chunk: Chunk, *, on_beat: Callable[[], None] = nothing
    ) -> Iterator[FrameReader]:
        """The wanted frames of a chunk, decoded ahead while the caller works on those it has.

        Keeps the process for itself until the block ends, which may be before the chunk does.
        Every frame has the size that `probe` tells. `on_beat` as in `index`, while it waits.
        """
        body = json.dumps(chunk.to_json()).encode()
        with self._lock:
            answer = self._ask(Request(Operation.FRAMES), source, body=body, on_beat=on_beat)
            reader = FrameReader(
                self._require_launch(),
                self._buffers,
                chunk=chunk,
                size=facts_of(answer, max_pixels=self._limits.max_pixels).size,
                seconds=self._limits.seconds,
                on_beat=on_beat,
            )
            with closing(reader):
                yield reader

    def still(self, source: Path | bytes, at_seconds: float) -> Frame:
        """The frame of a video that is shown at that time: the last one with PTS <= at_seconds,
        or the first one for earlier times. Its `frame_index` is -1, for nobody has counted."""
        request = Request(Operation.STILL, at_seconds=at_seconds)
        with self._lock:
            answer, image = self._ask_for_pixels(request, source)
            return still_of(answer, image)

    def annotate(
        self,
        source: Path | bytes,
        overlay: Overlay,
        media_type: str = "image/jpeg",
        *,
        at_seconds: float | None = None,
    ) -> bytes:
        """The upright picture with the overlay on it, as one of ENCODABLE_TYPES; of a video the
        one at that time, as `still` has it.

        No metadata of the original goes into it. Another `media_type` raises ValueError.
        """
        if media_type not in ENCODABLE_TYPES:
            raise ValueError(f"pictures are drawn as {' or '.join(ENCODABLE_TYPES)}")
        request = Request(Operation.ANNOTATE, media_type=media_type, at_seconds=at_seconds)
        with self._lock:
            return self._ask(request, source, body=overlay.to_json()).body

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._begin_without_lock()

    def _begin_without_lock(self) -> None:
        self._launch: DecodeLaunch | None = None
        self._buffers = PixelBuffers(self._limits.max_pixels * 3)
        # The kernel ends the decode process when the thread that started it ends. Callers'
        # threads come and go; this one stays as long as we do.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="decode-start")

    def _after_fork(self) -> None:
        """In the copy: the process, its memory and a lock held elsewhere stay the parent's."""
        if self._launch is not None:
            self._launch.abandon()
        self._begin()

    def _ask_for_pixels(self, request: Request, source: Path | bytes) -> tuple[Message, RgbImage]:
        buffer = self._buffers.take()
        with ExitStack() as on_failure:
            on_failure.callback(self._buffers.give_back, buffer)
            answer = self._ask(replace(request, buffer_id=buffer.id), source, buffer=buffer)
            facts = facts_of(answer, max_pixels=self._limits.max_pixels)
            on_failure.pop_all()
        return answer, self._buffers.image(buffer, facts.size)

    def _ask(
        self,
        request: Request,
        source: Path | bytes,
        *,
        buffer: PixelBuffer | None = None,
        body: bytes = b"",
        on_beat: Callable[[], None] = nothing,
    ) -> Message:
        with opened(source) as file:
            media_type = readable_type(os.pread(file, SNIFF_BYTES, 0))
            files = (file,) if buffer is None else (file, buffer.file)
            asked = replace(request, forgotten=tuple(self._buffers.forgotten()))
            answer = self._ask_twice(Message(asked.to_json(), body, files), on_beat)
        raise_error_in(answer, is_video=media_type in VIDEO_TYPES)
        return answer

    def _ask_twice(self, message: Message, on_beat: Callable[[], None]) -> Message:
        """A process that dies or runs out of memory may do so because of earlier files."""
        first = self._ask_once(message, on_beat)
        if first is not None and not is_out_of_memory(first):
            return first
        self._require_launch().kill()
        second = self._ask_once(message, on_beat)
        if second is None:
            raise DecoderCrashed("the decode process died on this file, twice")
        return second

    def _ask_once(self, message: Message, on_beat: Callable[[], None]) -> Message | None:
        """None when the process died on it."""
        seconds = self._limits.seconds
        launch = self._require_launch()
        try:
            return launch.ask(message, seconds=seconds, on_beat=on_beat)
        except TimeoutError as error:
            raise DecodeTimeout(f"decoding takes more than {seconds:g} s") from error
        except ProcessDied as error:
            if launch.used_up_its_processor_time:
                raise DecodeTimeout(f"decoding takes more than {seconds:g} s") from error
            return None

    def _require_launch(self) -> DecodeLaunch:
        if self._launch is None or not self._launch.is_alive:
            if self._launch is not None:
                self._launch.kill()
            self._launch = self._starter.submit(DecodeLaunch, self._limits).result()
        return self._launch


def _after_fork() -> None:
    for process in list(_all_processes):
        process._after_fork()


_all_processes: weakref.WeakSet[DecodeProcess] = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork)
