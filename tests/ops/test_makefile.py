"""The Makefile explains itself, and `.ci/run` is `make test`."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_make_alone_lists_every_command() -> None:
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)

    listed = re.findall(r"^make (\S+) +\S", make().stdout, re.MULTILINE)

    assert listed == targets
    assert {"help", "setup", "demo", "test", "test-slow", "check", "bench", "up"} <= set(targets)


def test_every_command_is_phony() -> None:
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)

    assert phony
    assert phony[1].split() == targets


def test_continuous_integration_runs_make_test_and_passes_its_status_on(tmp_path: Path) -> None:
    fake_make = tmp_path / "make"
    fake_make.write_text('#!/bin/sh\necho "$PWD $@"\nexit 7\n')
    fake_make.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"

    done = subprocess.run([ROOT / ".ci/run"], env={"PATH": path}, capture_output=True, text=True)

    assert done.stdout == f"{ROOT} test\n"
    assert done.returncode == 7


OLD_PYTHON = "exit 1"
PYTHON_WITHOUT_VENV = 'case "$2" in *ensurepip*) exit 1;; esac'


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        pytest.param(OLD_PYTHON, "Python 3.11 or newer is needed", id="old Python"),
        pytest.param(PYTHON_WITHOUT_VENV, "apt-get install python3-venv", id="no venv module"),
    ],
)
def test_set_up_says_what_it_needs(python: str, sentence: str, tmp_path: Path) -> None:
    program = tmp_path / "python3"
    program.write_text(f"#!/bin/sh\n{python}\n")
    program.chmod(0o755)

    done = make("setup", f"VENV={tmp_path / 'venv'}", f"PYTHONS={program}")

    assert done.returncode != 0
    assert sentence in done.stderr
