"""Packages that only some families want, on a machine that lacks them.

They are hidden from a real process: it finds every installed package but these.
"""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from vision.models.catalogue import listed_specs

ROOT = Path(__file__).parents[2]
HIDDEN = ("timm", "open_clip")
WANTING = sorted(name for name, spec in listed_specs().items() if "timm" in spec.needs)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like that of the installed packages, without some."""
    folder = tmp_path_factory.mktemp("packages")
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not entry.name.startswith(HIDDEN) and entry.suffix != ".pth":
            (folder / entry.name).symlink_to(entry)
    return folder


def _python(
    packages: Path, *arguments: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        env={**os.environ, "PYTHONPATH": f"{packages}:{ROOT}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_loading_names_what_to_install(packages: Path) -> None:
    program = f"""
from vision.errors import MissingDependency
from vision.models.catalogue import listed_specs
from vision.models.families import family_of

for name in {WANTING}:
    try:
        family_of(listed_specs()[name])
    except MissingDependency as error:
        print(error)
"""

    said = _python(packages, "-c", program)

    assert said.stderr == ""
    assert len(WANTING) == len(said.stdout.splitlines()) > 1
    for name, line in zip(WANTING, said.stdout.splitlines(), strict=True):
        assert line.startswith(f"{name} needs timm")
        assert line.endswith("run `pip install 'vision-service[timm]'`")


def test_list_and_card_say_which_extra(packages: Path, tmp_path: Path) -> None:
    said = _python(
        packages,
        "-m",
        "vision.cli.main",
        "models",
        "list",
        "--json",
        VISION_MODELS_DIR=str(tmp_path),
    )

    states = {model["name"]: model["state"] for model in json.loads(said.stdout)["items"]}
    needing = sorted(name for name, state in states.items() if "needs extra timm" in state)
    assert needing == WANTING
    assert states["demo_maskrcnn"] == "here"


@pytest.mark.parametrize("is_here", [True, False], ids=["weights are here", "no weights"])
def test_doctor_knows_the_extra(packages: Path, tmp_path: Path, is_here: bool) -> None:
    if is_here:
        folder = tmp_path / WANTING[0]
        folder.mkdir()
        for name in listed_specs()[WANTING[0]].weights.files:  # type: ignore[union-attr]
            (folder / name).touch()
    program = f"""
import json
from pathlib import Path
from vision.cli.checks.weights import weights
from vision.settings import Settings

found = weights(Settings(_env_file=None, models_dir=Path({str(tmp_path)!r})))
print(json.dumps([[one.name, one.status, one.detail, one.advice] for one in found]))
"""

    said = _python(packages, "-c", program)

    findings = {name: rest for name, *rest in json.loads(said.stdout)}
    status, detail, advice = findings["extra timm"]
    assert "open_clip and timm not installed, for " in detail
    assert status == ("WARN" if is_here else "OK")
    assert "pip install 'vision-service[timm]'" in (advice if is_here else detail)
