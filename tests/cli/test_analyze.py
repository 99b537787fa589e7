"""`vision analyze`: one picture."""

import json
from pathlib import Path

import numpy as np
from console import Workplace, make_picture, make_truncated_jpeg
from PIL import Image
from pycocotools import mask as coco

YARD = Path(__file__).parents[2] / "samples" / "images" / "yard-1.jpg"


def test_json_has_items_with_masks_and_provenance(workplace: Workplace, tmp_path: Path) -> None:
    in_bfloat16 = {"VISION_DEVICE": "cpu", "VISION_CPU_PRECISION": "bfloat16"}
    ended = workplace.run(
        "analyze", YARD, "-p", workplace.pipeline, "--json", cwd=tmp_path, **in_bfloat16
    )
    result = json.loads(ended.out)
    item = result["items"][0]

    assert ended.code == 0
    assert list(tmp_path.iterdir()) == []
    assert item["score"] >= 0.5
    assert item["label"] in result["counts"]
    x1, y1, x2, y2 = item["box"]
    ys, xs = np.nonzero(coco.decode(item["mask"]))
    assert (xs.min(), ys.min()) >= (x1 - 2, y1 - 2)
    assert (xs.max(), ys.max()) <= (x2 + 2, y2 + 2)
    assert result["provenance"]["stages"][0]["model"] == "yard"
    assert result["provenance"]["precision"] == "bfloat16"


def test_people_get_a_table_and_a_picture(workplace: Workplace, tmp_path: Path) -> None:
    ended = workplace.run("analyze", YARD, "-p", workplace.pipeline, cwd=tmp_path)

    assert ended.code == 0
    assert ended.out.splitlines()[0].startswith("label")
    assert "picture: yard-1.annotated.jpg" in ended.out
    with Image.open(tmp_path / "yard-1.annotated.jpg") as drawn, Image.open(YARD) as original:
        assert drawn.size == original.size


def test_a_bad_file_is_one_sentence(workplace: Workplace, tmp_path: Path) -> None:
    torn = make_truncated_jpeg(tmp_path / "torn.jpg")

    ended = workplace.run("analyze", torn, "-p", workplace.pipeline, cwd=tmp_path)

    assert ended.code == 1
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "torn.annotated.jpg").exists()


def test_the_demo_pipeline_runs_by_name(workplace: Workplace, tmp_path: Path) -> None:
    picture = make_picture(tmp_path / "a.png")

    ended = workplace.run("analyze", picture, "-p", "demo", "--out", tmp_path / "drawn.png")

    assert ended.code == 0, ended.err
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.format == "PNG"
