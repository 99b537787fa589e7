"""The decode process: what it may see, how it dies, and that nobody else notices."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from media_files import by_pillow, jpeg_of_claimed_size, picture, saved, solid_png

from vision.errors import BadMedia, DecoderCrashed, DecodeTimeout, MediaTooLarge
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits

LIMITS = DecodeLimits(max_pixels=100_000_000, seconds=30, memory_bytes=1 << 30)
GOOD = saved(picture(), "JPEG")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def process() -> Iterator[DecodeProcess]:
    with DecodeProcess(LIMITS) as started:
        started.probe(GOOD)
        yield started


def _children(pid: int | None = None) -> list[int]:
    """The decode processes that `pid` (we ourselves by default) has started."""
    children = [
        int(child)
        for task in Path(f"/proc/{pid or os.getpid()}/task").iterdir()
        for child in _children_of(task).split()
    ]
    return [child for child in children if b"decode_child" in _read(child, "cmdline")]


def _children_of(task: Path) -> str:
    """None of a thread that has ended meanwhile."""
    try:
        return (task / "children").read_text()
    except OSError:
        return ""


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _newest_child() -> int:
    return max(_children())


def _eventually(condition: Callable[[], bool]) -> None:
    while not condition():  # the suite's own timeout ends a wait that never succeeds
        time.sleep(0.01)


def _require_works(process: DecodeProcess) -> None:
    assert np.array_equal(process.decode(GOOD).image, by_pillow(GOOD))


def test_a_file_that_takes_too_long_costs_only_itself() -> None:
    with DecodeProcess(DecodeLimits(100_000_000, seconds=0.15, memory_bytes=1 << 30)) as process:
        process.probe(GOOD)
        with pytest.raises(DecodeTimeout, match=r"0\.15 s"):
            process.decode(solid_png(9_000, 9_000))

        _require_works(process)


def test_a_file_that_needs_too_much_memory_costs_only_itself() -> None:
    with DecodeProcess(DecodeLimits(100_000_000, seconds=30, memory_bytes=128 << 20)) as process:
        with pytest.raises(MediaTooLarge, match="memory"):
            process.decode(solid_png(8_000, 8_000))

        _require_works(process)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_a_file_larger_than_the_memory_costs_only_itself(
    process: DecodeProcess, tmp_path: Path, kind: str
) -> None:
    large = tmp_path / "large"
    large.write_bytes(saved(picture(), kind)[:-40])
    os.truncate(large, 3 << 30)

    with pytest.raises(BadMedia) as caught:
        process.decode(large)

    assert caught.value.code != "decoder_crashed"
    _require_works(process)


@linux_only
def test_a_process_that_died_between_two_files_is_replaced(process: DecodeProcess) -> None:
    for _ in range(3):
        os.kill(_newest_child(), signal.SIGKILL)
        _require_works(process)


@linux_only
def test_a_process_that_dies_once_on_a_file_gets_a_second_try(process: DecodeProcess) -> None:
    victim = _newest_child()
    os.kill(victim, signal.SIGSTOP)
    results = []
    caller = threading.Thread(target=lambda: results.append(process.decode(GOOD)))
    caller.start()
    time.sleep(0.1)
    os.kill(victim, signal.SIGKILL)
    caller.join()

    assert np.array_equal(results[0].image, by_pillow(GOOD))


@linux_only
def test_a_process_that_dies_twice_on_a_file_says_so(process: DecodeProcess) -> None:
    """Killed from outside while it decodes, as the kernel kills what takes too much memory."""
    large = solid_png(9_500, 9_500)
    killer = threading.Thread(target=_kill_two_busy_children)
    killer.start()

    with pytest.raises(DecoderCrashed, match="twice"):
        process.decode(large)

    killer.join()
    _require_works(process)


def _kill_two_busy_children() -> None:
    for _ in range(2):
        _eventually(lambda: any(_is_busy(child) for child in _children()))
        os.kill(next(child for child in _children() if _is_busy(child)), signal.SIGKILL)
        _eventually(lambda: not any(_is_busy(child) for child in _children()))


def _is_busy(child: int) -> bool:
    """A decoding child has the picture's hundreds of megabytes in memory."""
    statistics = _read(child, "statm").split()
    return len(statistics) > 1 and int(statistics[1]) * os.sysconf("SC_PAGESIZE") > 150 << 20


@linux_only
def test_an_interrupted_call_never_hands_its_answer_to_the_next(process: DecodeProcess) -> None:
    other = saved(picture(30, 20), "PNG")

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            process.decode(solid_png(9_500, 9_500))
    finally:
        signal.signal(signal.SIGALRM, before)

    assert process.decode(other).facts.size.width == 30


def test_many_threads_share_one_process(process: DecodeProcess) -> None:
    files = [saved(picture(20 + index, 20), "PNG") for index in range(12)]
    widths: dict[int, int] = {}

    def decode(index: int) -> None:
        widths[index] = process.decode(files[index]).image.shape[1]

    threads = [threading.Thread(target=decode, args=(index,)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert widths == {index: 20 + index for index in range(12)}


@linux_only
def test_the_process_outlives_the_thread_that_needed_it_first() -> None:
    with DecodeProcess(LIMITS) as process:
        thread = threading.Thread(target=lambda: process.probe(GOOD))
        thread.start()
        thread.join()
        child = _newest_child()
        time.sleep(0.1)
        _require_works(process)

        assert _newest_child() == child


def test_pixels_stay_while_anyone_looks_and_memory_comes_back(process: DecodeProcess) -> None:
    first = process.decode(saved(picture(50, 40), "PNG")).image[5:, 5:]
    kept = first.copy()
    for index in range(20):
        process.decode(saved(picture(50 + index, 40), "PNG"))

    assert np.array_equal(first, kept)


@linux_only
def test_descriptors_and_mappings_don_t_pile_up(process: DecodeProcess) -> None:
    def used() -> tuple[int, int]:
        gc.collect()
        mappings = Path("/proc/self/maps").read_text().count("vision-pixels")
        return len(os.listdir("/proc/self/fd")), mappings

    def decode_good_and_bad() -> None:
        process.decode(GOOD)
        for bad in (GOOD[:-2], jpeg_of_claimed_size(20_000, 20_000)):
            with pytest.raises(BadMedia):
                process.decode(bad)

    decode_good_and_bad()
    before = used()
    for _ in range(30):
        decode_good_and_bad()

    assert used() == before


@linux_only
def test_memory_of_pictures_in_use_is_kept_below_a_limit(process: DecodeProcess) -> None:
    large = saved(picture(4000, 3000), "JPEG")
    held = [process.decode(large).image for _ in range(10)]
    assert all(np.array_equal(image, held[0]) for image in held)
    del held
    process.decode(GOOD)

    kept = Path("/proc/self/smaps").read_text().split("\n")
    resident = [
        int(kept[index + offset].split()[1])
        for index, line in enumerate(kept)
        if "vision-pixels" in line
        for offset in range(1, 6)
        if kept[index + offset].startswith("Rss")
    ]
    assert sum(resident) <= 300 << 10  # KiB; ten pictures are 343 MiB


@linux_only
def test_the_process_sees_no_secret_and_no_file_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VISION_DATABASE_URL", "postgresql://user:secret@host/db")
    with (tmp_path / "inherited").open("w") as file, DecodeProcess(LIMITS) as process:
        os.set_inheritable(file.fileno(), True)
        process.probe(GOOD)
        child = _newest_child()

        targets = [os.readlink(entry) for entry in Path(f"/proc/{child}/fd").iterdir()]
        assert b"VISION" not in _read(child, "environ")
        assert sorted(target.split(":")[0] for target in targets) == [*["/dev/null"] * 3, "socket"]


@linux_only
def test_the_process_is_walled_in(process: DecodeProcess) -> None:
    limits = _read(_newest_child(), "limits").decode()
    status = _read(_newest_child(), "status").decode()
    soft = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()}

    assert soft["Max file size"] == "0"
    assert soft["Max core file size"] == "0"
    assert soft["Max open files"] == "256"
    assert soft["Max cpu time"] != "unlimited"
    # Beside the limit there is what the idle process has: libraries, mapped and hardly touched.
    idle_bytes = int(soft["Max address space"]) - LIMITS.memory_bytes
    assert 0 < idle_bytes < 2 << 30
    assert "NoNewPrivs:\t1" in status


@linux_only
def test_root_s_decode_process_has_no_network(process: DecodeProcess) -> None:
    if os.geteuid() != 0:
        pytest.skip("without root the kernel may refuse")
    ours, theirs = (os.readlink(f"/proc/{pid}/ns/net") for pid in (os.getpid(), _newest_child()))

    assert ours != theirs


def test_closing_ends_the_process_and_leaves_the_pixels() -> None:
    process = DecodeProcess(LIMITS)
    image = process.decode(GOOD).image
    process.close()
    process.close()

    assert np.array_equal(image, by_pillow(GOOD))


def _run(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    )


START = """
import os, signal, sys, time
from media_files import picture, saved
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits
process = DecodeProcess(DecodeLimits(10_000_000, 30, 1 << 30))
good = saved(picture(), "JPEG")
"""

KILLED_PARENT = (
    START
    + """
process.probe(good)
print(process._launch._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
)

FORKED = (
    START
    + """
image = process.decode(good).image
before = image.copy()
child = os.fork()
if child == 0:
    for _ in range(5):
        assert process.decode(saved(picture(80, 60), "PNG")).image.shape == (60, 80, 3)
    assert (image == before).all()
    print("copy", process._launch._process.pid, flush=True)
    process.close()
    os._exit(0)
for _ in range(20):
    assert process.decode(good).image.shape == (48, 64, 3)
assert os.waitpid(child, 0)[1] == 0
assert process.decode(good).image.shape == (48, 64, 3)
print("original", process._launch._process.pid)
process.close()
"""
)

DAEMON = (
    START
    + """
import multiprocessing
def work():
    with process:
        print(process.decode(good).image.shape, flush=True)
daemon = multiprocessing.get_context("fork").Process(target=work, daemon=True)
daemon.start()
daemon.join()
sys.exit(daemon.exitcode)
"""
)


@linux_only
def test_the_process_dies_with_its_parent() -> None:
    with _run(KILLED_PARENT) as parent:
        output, _ = parent.communicate()

    _eventually(lambda: b"decode_child" not in _read(int(output), "cmdline"))


@linux_only
def test_a_fork_of_the_parent_starts_its_own() -> None:
    with _run(FORKED) as parent:
        output, _ = parent.communicate()
    pids = dict(line.split() for line in output.splitlines())

    assert parent.returncode == 0
    assert pids["copy"] != pids["original"]


@linux_only
def test_a_daemonic_worker_may_decode() -> None:
    with _run(DAEMON) as parent:
        output, _ = parent.communicate()

    assert parent.returncode == 0
    assert output.strip() == "(48, 64, 3)"
