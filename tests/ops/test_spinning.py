"""Torch's threads don't hold cores that others want."""

import os
import subprocess
import sys

import pytest

from vision.spinning import CHOICES, SPINS, spin_briefly


def test_threads_spin_briefly_unless_somebody_has_chosen() -> None:
    environment: dict[str, str] = {}
    spin_briefly(environment)
    assert environment == {"GOMP_SPINCOUNT": SPINS}


@pytest.mark.parametrize("name", CHOICES)
def test_the_operators_choice_stays(name: str) -> None:
    environment = {name: "ACTIVE"}
    spin_briefly(environment)
    assert environment == {name: "ACTIVE"}


@pytest.mark.parametrize("entry", ["vision.cli.main", "workers.queue"])
def test_every_entry_point_has_chosen_before_torch_comes(entry: str) -> None:
    lines = (
        "import os, sys",
        f"import {entry}",
        "assert 'torch' not in sys.modules",
        "print(os.environ['GOMP_SPINCOUNT'])",
    )
    unset = {name: value for name, value in os.environ.items() if name not in CHOICES}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env=unset,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == SPINS
