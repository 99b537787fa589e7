"""A model of the tests' own, and one finished batch that many tests look at."""

from pathlib import Path

import pytest
from console import Batch, Workplace, make_picture, make_text_named_jpeg, make_truncated_jpeg

from vision.models.catalogue import SHIPPED

YARDS = Path(__file__).parents[2] / "samples" / "images"


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder = tmp_path_factory.mktemp("workplace")
    pipeline = folder / "yard.yaml"
    pipeline.write_text("detect:\n  model: yard\n  min_score: 0.5\n")
    place = Workplace(folder / "models", pipeline)
    weights = SHIPPED / "demo_maskrcnn.safetensors"
    added = place.run("models", "add", "yard", "--like", "demo_maskrcnn", "--file", weights)
    assert added.code == 0, added.err
    return place


@pytest.fixture(scope="session")
def batch(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """Three yards, two bad files, a double, a subfolder and a text; annotated."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in (1, 2):
        yard = YARDS / f"yard-{number}.jpg"
        (folder / yard.name).write_bytes(yard.read_bytes())
    make_picture(folder / "deep" / "empty ö.png")
    (folder / "deep" / "double.jpg").write_bytes((YARDS / "yard-1.jpg").read_bytes())
    make_truncated_jpeg(folder / "torn.jpg")
    make_text_named_jpeg(folder / "diary.jpg")
    (folder / "notes.txt").write_text("not a picture, and doesn't say so")
    out = folder / "out"
    options = ("--annotate", "--recursive", "--json")
    ended = workplace.run("batch", folder, "-p", workplace.pipeline, "-o", out, *options)
    assert "Traceback" not in ended.err, ended.err
    return Batch(ended, folder, out)
