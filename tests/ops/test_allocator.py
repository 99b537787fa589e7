"""A process that infers keeps the memory of large arrays, and gives it back when it has a rest."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from vision.allocator import CHOICES

MIB = 2**20
YARD = Path(__file__).parents[2] / "samples/images/yard-1.jpg"
SCRIPT = """
import ctypes, platform, resource, sys
from threading import Thread
from vision.allocator import give_back_memory, keep_large_blocks

SIZE, ROUNDS = 100 * 2**20, 5

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1]) * resource.getpagesize()

def fill():
    bytearray(SIZE)

def fill_often():
    fill()
    before = faults()
    for _ in range(ROUNDS):
        fill()
    print(faults() - before)

def fill_often_in_a_thread():
    thread = Thread(target=fill_often)
    thread.start()
    thread.join()

def rest():
    fill()
    before = resident()
    give_back_memory()
    print(before - resident())

def without_glibc():
    platform.libc_ver = lambda: ("", "")
    ctypes.CDLL = None

"""
STATION = """
from pathlib import Path
from vision.engine.parts import open_engine
from vision.engine.worker_parts import open_station
from vision.settings import Settings

folder, _ = sys.argv[1:]
settings = Settings(_env_file=None, data_dir=Path(folder), device="cpu")
with open_engine(settings) as engine, open_station(engine, settings, owner="test"):
    fill_often_in_a_thread()
"""
ANALYZE = """
from pathlib import Path
from vision.cli.analyze_here import analyzed
from vision.engine.parts import decode_limits
from vision.media.decode_process import DecodeProcess
from vision.pipelines.document import parse_pipeline
from vision.settings import Settings

folder, file = sys.argv[1:]
settings = Settings(_env_file=None, data_dir=Path(folder), device="cpu")
with DecodeProcess(decode_limits(settings)) as decoder:
    decoded = decoder.decode(Path(file))
analyzed(decoded, parse_pipeline({"detect": {"model": "demo_maskrcnn"}}), settings)
fill_often()
"""
LINUX_WITH_GLIBC = pytest.mark.skipif(
    not hasattr(os, "confstr") or "CS_GNU_LIBC_VERSION" not in os.confstr_names,
    reason="only glibc has this allocator",
)
pytestmark = LINUX_WITH_GLIBC


def told_by(*lines: str, arguments: tuple[str, ...] = (), **chosen: str) -> int:
    """What a process of its own prints, with the operator's variables."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + "\n".join(lines), *arguments],
        env={**_unchosen(os.environ), **chosen},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def _unchosen(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(CHOICES) and name != "GLIBC_TUNABLES"
    }


@pytest.mark.parametrize("fill_often", ["fill_often()", "fill_often_in_a_thread()"])
def test_large_blocks_are_faulted_in_once_instead_of_each_time(fill_often: str) -> None:
    usual = told_by(fill_often)
    kept = told_by("keep_large_blocks()", fill_often)

    # 128,000 pages, or 250 where the system hands out huge ones.
    assert usual > 200
    assert kept < usual / 10


@pytest.mark.parametrize(
    "entry",
    [pytest.param(STATION, id="workers and batches"), pytest.param(ANALYZE, id="vision analyze")],
)
def test_what_infers_on_a_cpu_keeps_them(entry: str, tmp_path: Path) -> None:
    kept = told_by(entry, arguments=(str(tmp_path), str(YARD)))

    assert kept < told_by("fill_often()") / 10


def test_a_resting_process_gives_kept_memory_back() -> None:
    assert told_by("keep_large_blocks()", "rest()") > 90 * MIB


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param({"MALLOC_MMAP_THRESHOLD_": "1048576"}, id="by variable"),
        pytest.param({"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1048576"}, id="by tunable"),
    ],
)
def test_the_operators_choice_stays(chosen: dict[str, str]) -> None:
    usual = told_by("fill_often()", **chosen)

    assert told_by("keep_large_blocks()", "fill_often()", **chosen) > usual / 2


def test_what_the_operator_keeps_is_not_given_back() -> None:
    chosen = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}

    assert told_by("rest()", **chosen) < MIB


def test_a_tunable_of_something_else_is_no_choice() -> None:
    other = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=1024"}

    kept = told_by("keep_large_blocks()", "fill_often()", **other)

    assert kept < told_by("fill_often()", **other) / 10


def test_without_glibc_nothing_happens() -> None:
    usual = told_by("fill_often()")

    assert told_by("without_glibc()", "keep_large_blocks()", "fill_often()") > usual / 2
    assert told_by("without_glibc()", "rest()") < MIB
