"""The supervisor with real processes."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import is_running, wait_until

from vision.cli.service.part import LONGEST_PAUSE_SECONDS, Part, restart_pause_seconds
from vision.cli.service.supervisor import StopRequests, Supervisor
from vision.errors import OperatorError

SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('up', flush=True); time.sleep(600)",
)


class Heard:
    """Collects what parts say; asks `stop` once `enough` is true of the lines."""

    def __init__(self, stop: StopRequests, enough: Callable[[list[str]], bool]) -> None:
        self.lines: list[str] = []
        self._stop = stop
        self._enough = enough

    def show(self, name: str, line: str) -> None:
        self.lines.append(f"{name}: {line}")
        if not self._stop.count and self._enough(self.lines):
            self._stop.note(signal.SIGTERM, None)


def watched(
    parts: list[Part], enough: Callable[[list[str]], bool], drain_seconds: float = 60
) -> tuple[list[str], bool]:
    """What the parts said until `enough`, and whether they then drained."""
    stop = StopRequests()
    heard = Heard(stop, enough)
    with Supervisor(parts, show=heard.show, drain_seconds=drain_seconds) as supervisor:
        supervisor.watch(stop, has_served=lambda: True)
        has_drained = supervisor.drain(stop)
    return heard.lines, has_drained


def test_parts_are_heard_line_by_line_and_end_when_asked() -> None:
    parts = [Part("one", SLEEP), Part("two", SLEEP)]

    lines, has_drained = watched(parts, lambda lines: len(lines) == 2)

    assert sorted(lines) == ["one: up", "two: up"]
    assert has_drained


def test_a_dead_part_is_started_again() -> None:
    dying = Part("part", (sys.executable, "-c", "print('born'); raise SystemExit(3)"))

    lines, _ = watched([dying], lambda lines: lines.count("part: born") == 2)

    assert lines[:3] == ["part: born", "part: ended with exit code 3; again in 0.5 s", "part: born"]


def test_a_killed_part_is_started_again() -> None:
    suicidal = "import os, signal; print('born', flush=True); os.kill(os.getpid(), signal.SIGKILL)"

    lines, _ = watched(
        [Part("part", (sys.executable, "-c", suicidal))],
        lambda lines: lines.count("part: born") == 2,
    )

    assert "part: ended with signal 9; again in 0.5 s" in lines


def test_a_service_that_never_served_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vision.cli.service.part.FIRST_PAUSE_SECONDS", 0.0)
    broken = Part("part", (sys.executable, "-c", "raise SystemExit(1)"))
    supervisor = Supervisor([broken], show=lambda *_: None, drain_seconds=1)

    with supervisor, pytest.raises(OperatorError, match="part ends each time it is started"):
        supervisor.watch(StopRequests(), has_served=lambda: False)


def test_pauses_double_up_to_a_limit() -> None:
    pauses = [restart_pause_seconds(failures) for failures in (0, 1, 2, 50)]

    assert pauses == [0.5, 1.0, 2.0, LONGEST_PAUSE_SECONDS]


def test_a_part_that_ignores_the_request_is_killed_and_not_called_drained() -> None:
    lines, has_drained = watched([Part("part", STUBBORN)], bool, drain_seconds=0.5)

    assert lines == ["part: up"]
    assert not has_drained


def test_what_others_need_ends_after_them() -> None:
    said_last = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(0)))\n"
        "print('up', flush=True)\n"
        "time.sleep(600)"
    )
    argv = (sys.executable, "-c", said_last)
    parts = [Part("needed", argv, ends_last=True), Part("needs", argv)]

    lines, has_drained = watched(parts, lambda lines: len(lines) == 2)

    assert lines[2:] == ["needs: bye", "needed: bye"]
    assert has_drained


def test_a_second_request_ends_the_drain_at_once() -> None:
    stop = StopRequests()
    heard = Heard(stop, bool)
    with Supervisor([Part("part", STUBBORN)], show=heard.show, drain_seconds=600) as supervisor:
        supervisor.watch(stop)
        threading.Timer(0.5, stop.note, (signal.SIGINT, None)).start()
        has_drained = supervisor.drain(stop)

    assert not has_drained


def test_an_unfinished_last_line_is_shown_too() -> None:
    part = Part("part", (sys.executable, "-c", "print('no line break', end='')"))

    lines, _ = watched([part], lambda lines: len(lines) == 2)

    assert lines[0] == "part: no line break"


def test_parts_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from vision.cli.service.part import Part\n"
        "from vision.cli.service.supervisor import StopRequests, Supervisor\n"
        f"sleep = {STUBBORN!r}\n"
        "supervisor = Supervisor([Part('p', sleep)], show=lambda *_: None, drain_seconds=1)\n"
        "with supervisor:\n"
        "    print(supervisor.pids()['p'], flush=True)\n"
        "    supervisor.watch(StopRequests())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()

    wait_until(lambda: not is_running(pid))
