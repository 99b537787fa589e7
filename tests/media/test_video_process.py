"""Reading frames from another process: leaving, dying, hanging, and using memory again."""

import gc
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from video_files import number_in, write_clip
from video_reading import chunk_of, read, read_all, whole

from vision.domain.detections import Detections
from vision.domain.video import Chunk, Frame
from vision.errors import BadMedia, DecoderCrashed, DecodeTimeout, VideoTooLarge
from vision.media.decode_launch import DecodeLaunch
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits
from vision.media.overlay import Overlay
from vision.media.pulse import Pulse
from vision.media.wire import Message, Wire

LIMITS = DecodeLimits(max_pixels=1_000_000, seconds=20, memory_bytes=1 << 30)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=120)


@pytest.fixture
def process() -> Iterator[DecodeProcess]:
    with DecodeProcess(LIMITS) as started:
        yield started


def _pid(process: DecodeProcess) -> int:
    launch = process._launch
    assert isinstance(launch, DecodeLaunch)
    return launch._process.pid


def test_leaving_early_costs_nothing(process: DecodeProcess, clip: Path) -> None:
    chunk = whole(process.index(clip).frames)
    pid = _pid(process)
    for fetched in (0, 1, 5):
        with process.frames(clip, chunk) as reader:
            frames = [next(reader) for _ in range(fetched)]
        assert [frame.frame_index for frame in frames] == list(range(fetched))

    assert len(read(process, clip, chunk)[0]) == 120
    assert _pid(process) == pid


def test_frames_stay_valid_when_the_process_is_gone(process: DecodeProcess, clip: Path) -> None:
    frames, _ = read_all(process, clip)

    process.close()

    assert [number_in(frame.image) for frame in frames] == list(range(120))


def test_a_death_in_the_middle_leaves_what_was_handed_out(
    process: DecodeProcess, clip: Path
) -> None:
    chunk = whole(process.index(clip).frames)
    with process.frames(clip, chunk) as reader:
        frames = [next(reader) for _ in range(10)]
        os.kill(_pid(process), signal.SIGKILL)
        with pytest.raises(DecoderCrashed):
            frames.extend(reader)

    assert 10 <= len(frames) < 120
    assert [number_in(frame.image) for frame in frames] == list(range(len(frames)))
    assert len(read(process, clip, chunk)[0]) == 120


def test_a_decoder_that_hangs_is_ended(clip: Path) -> None:
    limits = DecodeLimits(1_000_000, seconds=1.0, memory_bytes=1 << 30)
    with DecodeProcess(limits) as process:
        chunk = whole(process.index(clip).frames)
        with process.frames(clip, chunk) as reader:
            next(reader)
            os.kill(_pid(process), signal.SIGSTOP)
            with pytest.raises(DecodeTimeout):
                list(reader)

        assert len(read(process, clip, chunk)[0]) == 120


def test_an_error_of_the_reader_ends_the_reading_only(process: DecodeProcess, clip: Path) -> None:
    chunk = whole(process.index(clip).frames)

    with pytest.raises(ZeroDivisionError), process.frames(clip, chunk) as reader:
        _fail(next(reader))

    assert len(read(process, clip, chunk)[0]) == 120


def _fail(frame: Frame) -> None:
    raise ZeroDivisionError


def test_others_wait_until_the_reading_is_over(process: DecodeProcess, clip: Path) -> None:
    chunk = whole(process.index(clip).frames)
    order: list[str] = []
    with process.frames(clip, chunk) as reader:
        next(reader)
        other = threading.Thread(target=lambda: (process.probe(clip), order.append("probed")))
        other.start()
        list(reader)
        order.append("read")
    other.join()

    assert order == ["read", "probed"]


def test_an_end_is_known_only_at_the_end(process: DecodeProcess, clip: Path) -> None:
    chunk = whole(process.index(clip).frames)
    with process.frames(clip, chunk) as reader:
        next(reader)
        with pytest.raises(AssertionError):
            _ = reader.end
        assert len(list(reader)) == 119
        assert reader.end.frames == 120
        assert list(reader) == []


@linux_only
def test_memory_is_used_again(process: DecodeProcess, clip: Path) -> None:
    chunk = whole(process.index(clip).frames)

    def buffers() -> int:
        gc.collect()
        files = Path("/proc/self/fd").iterdir()
        return sum("vision-pixels" in os.readlink(file) for file in files if file.is_symlink())

    for _ in range(2):
        with process.frames(clip, chunk) as reader:
            assert sum(1 for _ in reader) == 120
    before = buffers()
    for _ in range(5):
        with process.frames(clip, chunk) as reader:
            assert sum(1 for _ in reader) == 120

    assert buffers() <= before + 1


def test_a_beat_is_no_answer_and_reaches_the_listener() -> None:
    ours, theirs = socket.socketpair()
    beats: list[int] = []
    launch = DecodeLaunch.__new__(DecodeLaunch)
    launch._wire = Wire(ours, max_body_bytes=1000)
    child = Wire(theirs, max_body_bytes=1000)
    pulse = Pulse(child, seconds=3600)
    pulse.beat()  # too early to be one
    time.sleep(1.05)
    pulse.beat()
    child.send(Message({"answer": 1}))

    answer = launch.answer(seconds=5, on_beat=lambda: beats.append(1))

    assert answer.header == {"answer": 1}
    assert beats == [1]
    ours.close()
    theirs.close()


def test_what_a_beat_raises_ends_the_work(process: DecodeProcess, clip: Path) -> None:
    process.probe(clip)
    launch = process._launch
    assert launch is not None

    def stop() -> None:
        raise InterruptedError("cancelled")

    os.kill(_pid(process), signal.SIGSTOP)
    ours, theirs = socket.socketpair()
    launch._wire.close()
    launch._wire = Wire(ours, max_body_bytes=1000)
    Wire(theirs, max_body_bytes=1000).send(Message({"working": True}))
    with pytest.raises(InterruptedError):
        launch.answer(seconds=5, on_beat=stop)
    theirs.close()

    assert not launch.is_alive
    assert process.index(clip).facts.frame_count == 120


def test_a_chunk_of_another_file_hurts_nobody(process: DecodeProcess, clip: Path) -> None:
    frames = process.index(clip).frames
    chunk = chunk_of(frames, 0, 120)
    odd = [
        Chunk(1, 10**9, 10**9 + 5, 7, frames.time_base, 5, 1.0, None),
        Chunk(1, chunk.start_pts, chunk.start_pts, 0, frames.time_base, 5, 1.0, None),
        Chunk(1, 17, None, 3, frames.time_base, 5, 1.0, None),
        chunk_of(frames, 0, 120, wanted=[]),
    ]
    for one in odd:
        with process.frames(clip, one) as reader:
            assert sum(1 for _ in reader) <= 120
    assert len(read(process, clip, chunk)[0]) == 120


def test_a_still_is_drawn_upon(process: DecodeProcess, clip: Path) -> None:
    nothing = Detections(np.zeros((0, 4), np.float32), (), np.zeros(0, np.int64))
    empty = Overlay(nothing)

    drawn = process.annotate(clip, empty, "image/png", at_seconds=1.0)

    still = process.decode(drawn).image
    assert number_in(still) == 25
    assert np.array_equal(still, process.still(clip, 1.0).image)


def test_a_frame_that_needs_too_much_memory_is_too_large(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "large.mp4", codec="mjpeg", pix_fmt="yuvj444p", frames=2, width=6000, height=5000
    )
    limits = DecodeLimits(100_000_000, seconds=20, memory_bytes=96 << 20)
    with DecodeProcess(limits) as process, pytest.raises(VideoTooLarge, match="memory"):
        read_all(process, path)


def test_ffmpeg_is_loaded_in_the_decode_process_only() -> None:
    check = "import sys, vision.media.decode_process; sys.exit('av' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


MUTANTS = 60
"""Of each clip here; the release run takes more."""
FUZZED: dict[str, dict[str, object]] = {
    "h264.mp4": {"muxer_options": {"movflags": "faststart"}},
    "h264.mkv": {},
    "hevc.ts": {"codec": "libx265", "options": {"x265-params": "keyint=4:log-level=none"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg2.mpg": {"codec": "mpeg2video"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "vp8.webm": {"codec": "libvpx"},
    "mjpeg.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "12"}},
}


@pytest.mark.parametrize("name", FUZZED)
def test_whatever_the_bytes_are_we_live_on(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / name, frames=8, width=96, height=64, gop=4, **FUZZED[name])
    sound, chosen = path.read_bytes(), random.Random(name)
    limits = DecodeLimits(max_pixels=200_000, seconds=10, memory_bytes=1 << 29)
    with DecodeProcess(limits) as process:
        assert _read_if_possible(process, sound) == 8
        for _ in range(MUTANTS):
            assert _read_if_possible(process, _mutant(sound, chosen)) <= 1000
        assert _read_if_possible(process, sound) == 8


def _read_if_possible(process: DecodeProcess, data: bytes) -> int:
    try:
        chunk = whole(process.index(data).frames)
        with process.frames(data, chunk) as reader:
            return sum(1 for _ in reader)
    except BadMedia:
        return 0


def _mutant(sound: bytes, chosen: random.Random) -> bytes:
    data = bytearray(sound)
    kinds: list[Callable[[], object]] = [
        lambda: _change(data, chosen, 1),
        lambda: _change(data, chosen, 20),
        lambda: data.__delitem__(slice(chosen.randrange(len(data)), None)),
        lambda: data.__delitem__(slice(at := chosen.randrange(len(data)), at + 8)),
        lambda: data.__setitem__(slice(at := chosen.randrange(len(data)), at + 4), b"\xff" * 4),
        lambda: data.__setitem__(slice(at := chosen.randrange(len(data)), at), bytes(16)),
    ]
    chosen.choice(kinds)()
    return bytes(data) or b"\x00"


def _change(data: bytearray, chosen: random.Random, places: int) -> None:
    # Half of them where the headers are.
    for _ in range(places):
        end = len(data) if chosen.random() < 0.5 else min(len(data), 2000)
        data[chosen.randrange(end)] = chosen.randrange(256)
