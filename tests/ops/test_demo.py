"""`make demo` does what the README promises."""

import subprocess
import sys
from pathlib import Path

import av
import pytest
from patience import PATIENCE_SECONDS
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE_SECONDS)
def test_the_demo_finds_and_follows_the_samples_objects_and_draws_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "samples.demo"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "objects in the scenes were found" in done.stdout
    for sample in (ROOT / "samples/images").glob("*.jpg"):
        path = f"out/demo/annotated/{sample.name}"
        assert path in done.stdout
        with Image.open(tmp_path / path) as picture:
            picture.load()
    assert "objects in the film keep one track" in done.stdout
    assert "out/demo/annotated/yard-crossing.mp4" in done.stdout
    with av.open(tmp_path / "out/demo/annotated/yard-crossing.mp4") as film:
        assert sum(1 for _ in film.decode(video=0)) == 250
