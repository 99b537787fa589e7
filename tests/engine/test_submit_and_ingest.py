"""The ways in: files become assets, wishes become jobs."""

from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image
from video_workshop import HEIGHT, WIDTH, write_clip
from workshop import Workshop, add_picture

from vision.domain.media import MediaKind
from vision.domain.states import JobState
from vision.engine.submit import JobRequest
from vision.errors import (
    IdempotencyKeyReused,
    InvalidPipeline,
    InvalidRequest,
    NotFound,
    UnsupportedType,
)

DETECT = {"detect": {"model": "demo_maskrcnn"}}


def test_a_file_becomes_an_asset_and_stays_where_it_is(workshop: Workshop, tmp_path: Path) -> None:
    path = tmp_path / "yard.png"
    Image.new("RGB", (20, 10)).save(path)

    asset, is_new = workshop.engine.ingest.add_file(path, tags=("yard",))

    assert is_new
    assert (asset.facts.size.width, asset.facts.size.height) == (20, 10)
    assert (asset.filename, asset.tags) == ("yard.png", ("yard",))
    assert workshop.engine.blobs.size(asset.blob_key) == path.stat().st_size


def test_the_same_bytes_again_are_the_same_asset_and_one_blob(
    workshop: Workshop, tmp_path: Path
) -> None:
    path = tmp_path / "yard.png"
    Image.new("RGB", (20, 10)).save(path)
    first, _ = workshop.engine.ingest.add_file(path)

    second, is_new = workshop.engine.ingest.add_file(path)

    assert not is_new
    assert second.id == first.id
    assert len(list(workshop.engine.blobs.entries())) == 1


def test_what_is_no_image_leaves_nothing_behind(workshop: Workshop, tmp_path: Path) -> None:
    path = tmp_path / "page.jpg"
    path.write_text("<html>not a picture</html>")

    with pytest.raises(UnsupportedType):
        workshop.engine.ingest.add_file(path)

    assert list(workshop.engine.blobs.entries()) == []
    assert list(workshop.engine.blobs.staging.iterdir()) == []


def test_a_named_pipeline_and_its_document_are_the_same_request(workshop: Workshop) -> None:
    submissions = workshop.engine.submissions
    asset = add_picture(workshop.engine, 1)
    document = submissions.checked_pipeline("demo").normal_form
    first, _ = submissions.submit(JobRequest((asset,), "demo", idempotency_key="k"))

    second, is_new = submissions.submit(JobRequest((asset,), document, idempotency_key="k"))

    assert not is_new
    assert second.id == first.id
    assert first.state is JobState.QUEUED


def test_a_key_that_meets_another_request_is_refused(workshop: Workshop) -> None:
    submissions = workshop.engine.submissions
    asset = add_picture(workshop.engine, 1)
    submissions.submit(JobRequest((asset,), DETECT, idempotency_key="k"))

    with pytest.raises(IdempotencyKeyReused):
        submissions.submit(JobRequest((asset,), DETECT, priority=1, idempotency_key="k"))


@pytest.mark.parametrize(
    ("pipeline", "field"),
    [
        pytest.param({"detect": {"model": "nothing"}}, "detect.model", id="unknown model"),
        pytest.param({"detekt": {}}, "detekt", id="unknown stage"),
    ],
)
def test_a_pipeline_that_cannot_run_names_the_field(
    workshop: Workshop, pipeline: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidPipeline) as refused:
        workshop.engine.submissions.submit(JobRequest((uuid4(),), pipeline))

    assert field in [error.field for error in refused.value.errors]


def test_a_job_without_assets_is_refused(workshop: Workshop) -> None:
    with pytest.raises(InvalidRequest) as refused:
        workshop.engine.submissions.submit(JobRequest((), DETECT))

    assert [error.field for error in refused.value.errors] == ["asset_ids"]


def test_an_asset_nobody_knows_is_not_found(workshop: Workshop) -> None:
    with pytest.raises(NotFound):
        workshop.engine.submissions.submit(JobRequest((uuid4(),), DETECT))


def test_a_video_becomes_an_asset_with_the_facts_of_its_header(
    workshop: Workshop, tmp_path: Path
) -> None:
    asset, is_new = workshop.engine.ingest.add_file(write_clip(tmp_path / "clip.mp4", range(30)))

    facts = asset.facts
    assert is_new
    assert (facts.kind, facts.media_type) == (MediaKind.VIDEO, "video/mp4")
    assert (facts.size.width, facts.size.height) == (WIDTH, HEIGHT)
    assert facts.duration_seconds == pytest.approx(3.0)
    assert facts.average_fps == pytest.approx(10)
