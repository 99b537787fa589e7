"""The pipeline document: what is accepted, what is refused and by which name."""

from fractions import Fraction
from typing import Any

import pytest

from vision.errors import InvalidPipeline
from vision.pipelines.document import parse_pipeline
from vision.pipelines.stages import SampleStage

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
            {"segment": SEGMENT | {"prompt": "everything", "points_per_side": 8, "mode": "fast"}},
            id="parameters",
        ),
        pytest.param({"detect": DETECT, "track": {}}, id="track by default"),
        pytest.param({"detect": DETECT, "segment": SEGMENT, "track": {}}, id="all three"),
        pytest.param({"detect": DETECT, "sample": {"max_fps": 5}}, id="sampled"),
        pytest.param(
            {"detect": DETECT, "sample": {"start_seconds": -1.5, "end_seconds": 2}}, id="a stretch"
        ),
        pytest.param(
            {"detect": DETECT, "track": {"algorithm": "sort", "lost_track_seconds": 3}},
            id="sort with a parameter",
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
        pytest.param({"sample": {}}, "pipeline", id="nothing to do with the frames"),
        pytest.param(
            {"segment": SEGMENT | {"prompt": "everything"}, "track": {}},
            "track",
            id="track without a detector",
        ),
        pytest.param(
            {"detect": DETECT, "sample": {"every_seconds": 1, "max_fps": 2}},
            "sample.max_fps",
            id="two measures",
        ),
        pytest.param(
            {"detect": DETECT, "sample": {"every_seconds": 1, "every_frame": True}},
            "sample.every_frame",
            id="a measure and every frame",
        ),
        pytest.param(
            {"detect": DETECT, "sample": {"every_frame": False}},
            "sample.every_frame",
            id="not every frame, but which",
        ),
        pytest.param(
            {"detect": DETECT, "sample": {"every_seconds": 0}}, "sample.every_seconds", id="no step"
        ),
        pytest.param(
            {"detect": DETECT, "sample": {"start_seconds": 2, "end_seconds": 2}},
            "sample.end_seconds",
            id="an empty stretch",
        ),
        pytest.param(
            {"detect": DETECT, "track": {"algorithm": "deepsort"}},
            "track.algorithm",
            id="unknown algorithm",
        ),
        pytest.param(
            {"detect": DETECT, "track": {"algorithm": "sort", "high_conf_det_threshold": 0.5}},
            "track.high_conf_det_threshold",
            id="sort has no such threshold",
        ),
        pytest.param(
            {"detect": DETECT, "track": {"algorithm": "ocsort", "track_activation_threshold": 0.5}},
            "track.track_activation_threshold",
            id="ocsort has no such threshold",
        ),
        pytest.param(
            {"detect": DETECT, "track": {"algorithm": "botsort", "minimum_iou_threshold": 0.5}},
            "track.minimum_iou_threshold",
            id="botsort has no such threshold",
        ),
        pytest.param(
            {"detect": DETECT, "track": {"lost_track_seconds": 0}},
            "track.lost_track_seconds",
            id="lost at once",
        ),
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


def test_hash_of_a_document_without_video_stages_stays() -> None:
    document = parse_pipeline({"detect": {"model": "demo_maskrcnn", "min_score": 0.5}})

    assert document.normal_form == {
        "detect": {"model": "demo_maskrcnn", "min_score": 0.5, "max_detections": 300}
    }
    assert document.sha256 == "abcaff9351706369ce0faa2df8a1d8297823ed3729505e09f185057f4f6cec51"


@pytest.mark.parametrize("sample", [{}, {"every_frame": True}, {"keyframes_only": False}])
def test_every_frame_said_is_every_frame_unsaid(sample: dict[str, Any]) -> None:
    said = parse_pipeline({"detect": DETECT, "sample": sample})

    assert said.sha256 == parse_pipeline({"detect": DETECT}).sha256


def test_parameter_that_an_algorithm_lacks_is_refused_with_those_that_it_has() -> None:
    track = {"algorithm": "sort", "high_conf_det_threshold": 0.5}

    with pytest.raises(InvalidPipeline) as caught:
        parse_pipeline({"detect": DETECT, "track": track})

    (error,) = caught.value.errors
    assert "sort has no such parameter; it has lost_track_seconds, minimum_cons" in error.detail


@pytest.mark.parametrize(
    ("sample", "step"),
    [
        ({"every_seconds": 0.1}, Fraction(1, 10)),
        ({"max_fps": 29.97}, Fraction(100, 2997)),
        ({"every_seconds": 1e-5}, Fraction(1, 100_000)),
        ({}, None),
    ],
)
def test_step_is_the_number_as_written(sample: dict[str, Any], step: Fraction | None) -> None:
    assert SampleStage(**sample).step_seconds == step
