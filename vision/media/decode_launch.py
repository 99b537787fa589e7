"""One running decode process, seen from its parent."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import vision
from vision.errors import MissingDependency, TooBusy
from vision.media.limits import DecodeLimits
from vision.media.wire import Message, Wire, close_files

_START_SECONDS = 60.0
"""From start to ready takes half a second; a machine that swaps may need longer."""
_MAX_OVERHEAD_BYTES = 1 << 20
_INDEX_BYTES = 9
"""Per frame of a video."""
_ENVIRONMENT = {
    "PYTHONPATH": str(Path(vision.__file__).parent.parent),
    "PYTHONUTF8": "1",
    # One thread: the address space is limited, and a thread's share of it isn't small.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # Memory once touched is kept: fresh pages cost as much as decoding.
    "PILLOW_BLOCKS_MAX": "8",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
}
"""All of it: no variable of ours, least of all a password, reaches hostile ground."""


def nothing() -> None:
    """What happens at a beat unless someone wants to know."""


class ProcessDied(Exception):
    """The decode process ended by itself, or broke the rules of the conversation."""


class DecodeLaunch:
    """A process that exists is ready. Not for use after a fork: see `abandon`."""

    def __init__(self, limits: DecodeLimits) -> None:
        """Raises TooBusy when the system has no room, MissingDependency when it can't run."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                self._process = _start(theirs, limits)
            except OSError as error:
                ours.close()
                raise TooBusy("the system can't start a decode process now") from error
        # An encoded picture is hardly ever larger than its pixels.
        largest = max(limits.max_pixels * 4, limits.max_video_frames * _INDEX_BYTES)
        self._wire = Wire(ours, max_body_bytes=largest + _MAX_OVERHEAD_BYTES)
        self._wait_until_ready()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def used_up_its_processor_time(self) -> bool:
        """How it ended, once it has."""
        return self._process.returncode == -signal.SIGXCPU

    def ask(
        self, request: Message, *, seconds: float, on_beat: Callable[[], None] = nothing
    ) -> Message:
        """The answer, from the stranger that it is; see `answer`."""
        self.tell(request, seconds=seconds)
        return self.answer(seconds=seconds, on_beat=on_beat)

    def tell(self, request: Message, *, seconds: float) -> None:
        """Whoever asks more than once before the answers fetches them in the same order. Raises
        ProcessDied, TimeoutError; then the process is dead."""
        with self._deadly():
            self._wire.set_deadline(seconds)
            self._wire.send(request)

    def answer(self, *, seconds: float, on_beat: Callable[[], None] = nothing) -> Message:
        """The next one. `seconds` may pass without a sign of life; `on_beat` is called at each.
        Raises ProcessDied, TimeoutError and what `on_beat` raises; then the process is dead."""
        with self._deadly():
            while True:
                self._wire.set_deadline(seconds)
                answer = self._wire.receive()
                close_files(answer.files)
                if "working" not in answer.header:
                    return answer
                on_beat()

    def kill(self) -> None:
        self._wire.close()
        self._process.kill()
        self._process.wait()

    def abandon(self) -> None:
        """In a fork of the parent: lets go of the process, which stays the parent's."""
        self._wire.close()
        self._process.returncode = 0

    @contextmanager
    def _deadly(self) -> Iterator[None]:
        """Whatever interrupts us: the late answer must not meet the next question."""
        try:
            yield
        except (EOFError, ConnectionError) as error:
            self.kill()
            raise ProcessDied from error
        except BaseException:
            self.kill()
            raise

    def _wait_until_ready(self) -> None:
        self._wire.set_deadline(_START_SECONDS)
        try:
            self._wire.receive()
        except (EOFError, ConnectionError, TimeoutError) as error:
            self.kill()
            raise MissingDependency(
                "the decode process doesn't start; `vision doctor` looks for the reason"
            ) from error


def _start(theirs: socket.socket, limits: DecodeLimits) -> subprocess.Popen[bytes]:
    arguments = [str(theirs.fileno()), str(os.getpid()), limits.to_json()]
    # -P and -s: no module from the working directory or a home folder gets in.
    return subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", "vision.media.decode_child", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_ENVIRONMENT,
        cwd="/",
        pass_fds=(theirs.fileno(),),
        # Ctrl-C at the terminal is for the parent: it drains, and needs us to the end.
        start_new_session=True,
    )
