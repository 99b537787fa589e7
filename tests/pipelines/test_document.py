"""The pipeline document: what is accepted, what is refused and by which name."""

from typing import Any

import pytest

from vision.errors import InvalidPipeline
from vision.pipelines.document import parse_pipeline

DETECT = {"model": "demo_maskrcnn"}
SEGMENT = {"model": "demo_sam"}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"detect": DETECT}, id="detect alone"),
        pytest.param({"detect": DETECT, "segment": SEGMENT}, id="detect then segment"),
        pytest.param({"segment": SEGMENT | {"prompt": "everything"}}, id="everything"),
        pytest.param(
            {"segment": SEGMENT | {"prompt": {"points": [[10, 20, 1], [3, 4, 0]]}}}, id="points"
        ),
        pytest.param({"segment": SEGMENT | {"prompt": {"boxes": [[1, 2, 30, 40]]}}}, id="boxes"),
        pytest.param(
            {"segment": SEGMENT | {"prompt": "everything", "points_per_side": 8}}, id="parameters"
        ),
    ],
)
def test_documents_that_make_sense_are_accepted(document: dict[str, Any]) -> None:
    parsed = parse_pipeline(document)

    assert parse_pipeline(parsed.normal_form) == parsed


@pytest.mark.parametrize(
    ("document", "field"),
    [
        pytest.param([], None, id="not an object"),
        pytest.param({}, "pipeline", id="no stage"),
        pytest.param({"detekt": DETECT}, "detekt", id="unknown stage"),
        pytest.param({"detect": DETECT | {"min_scor": 1}}, "detect.min_scor", id="unknown key"),
        pytest.param({"detect": DETECT | {"min_score": 1.5}}, "detect.min_score", id="too high"),
        pytest.param({"detect": {}}, "detect.model", id="no model"),
        pytest.param({"segment": SEGMENT}, "pipeline", id="boxes without a detector"),
        pytest.param(
            {"detect": DETECT, "segment": SEGMENT | {"prompt": "everything"}},
            "pipeline",
            id="everything beside a detector",
        ),
        pytest.param({"segment": SEGMENT | {"points_per_side": 4}}, "segment", id="misplaced"),
    ],
)
def test_documents_that_make_no_sense_name_the_field(document: Any, field: str | None) -> None:
    with pytest.raises(InvalidPipeline) as caught:
        parse_pipeline(document)

    if field is not None:
        assert field in {error.field for error in caught.value.errors}


def test_equal_meaning_has_an_equal_hash() -> None:
    short = parse_pipeline({"detect": DETECT})
    long = parse_pipeline({"detect": {"min_score": 0.5, "max_detections": 300, **DETECT}})

    assert short.sha256 == long.sha256
