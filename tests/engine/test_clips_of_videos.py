"""What happens in a video, told of stretches by a model of actions."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from follow_workshop import (
    SIDE,
    RedMoves,
    add_scenes,
    following,
    open_color_pipeline,
    red_at,
    red_middle,
)
from numpy.typing import NDArray
from test_followed_videos import the_item
from workshop import Workshop, add_picture, open_workshop, settings_for, submit

from vision.domain.image import RgbImage
from vision.domain.states import ItemState, JobState
from vision.domain.stored_findings import ClassificationFilter, Classified, StoredClassification
from vision.engine.station import Pace
from vision.engine.work_loop import work
from vision.pipelines.document import parse_pipeline
from vision.storage.classifications import ClassificationStore

PACE = Pace(max_fails=1)
ACTIONS = {"classify": {"model": "moves", "min_score": 0.5}}


@pytest.fixture
def screening(tmp_path: Path, database_url: str) -> Iterator[Workshop]:
    settings = settings_for(tmp_path / "data", database_url, chunk_frames=20)
    with open_workshop(settings, open_pipeline=open_color_pipeline) as opened:
        yield opened


def clips_of(screening: Workshop, job_id: UUID) -> list[StoredClassification]:
    rows = ClassificationStore(screening.engine.database).stream(ClassificationFilter(job_id))
    return [row for row in rows if row.of is Classified.CLIP]


def bounds(clips: list[StoredClassification]) -> list[tuple[int | None, int | None]]:
    return [(clip.first_frame, clip.last_frame) for clip in clips]


def test_every_stretch_has_its_names_in_order_of_time(screening: Workshop) -> None:
    job = submit(
        screening.engine, [add_scenes(screening.engine, 43)], parse_pipeline(ACTIONS).normal_form
    )

    work(screening.station, PACE)

    clips = clips_of(screening, job.id)
    assert screening.engine.jobs.get(job.id).state is JobState.SUCCEEDED
    # Clips of 8 frames in chunks of 20, 20 and 3.
    expected = [(0, 7), (8, 15), (16, 19), (20, 27), (28, 35), (36, 39), (40, 42)]
    assert bounds(clips) == expected
    assert {clip.label for clip in clips} == {"rightward"}
    assert (clips[1].from_seconds, clips[1].to_seconds) == (0.8, 1.5)


def test_frames_share_a_pass_and_no_clip_depends_on_it(screening: Workshop) -> None:
    both = parse_pipeline({**ACTIONS, "detect": {"model": "colors"}}).normal_form
    asset = add_scenes(screening.engine, 30)
    jobs = [submit(screening.engine, [asset], both) for _ in range(2)]

    work(screening.station, PACE)
    work(replace(screening.station, batch_images=7), PACE)

    one, other = (clips_of(screening, job.id) for job in jobs)
    assert bounds(one) == bounds(other)
    assert the_item(screening, jobs[0].id).detections == 2 * 30


def test_clips_of_a_video_that_is_followed_backward(screening: Workshop) -> None:
    followed = following(red_at(25), direction="backward")
    pipeline = parse_pipeline({**followed, **ACTIONS}).normal_form
    job = submit(screening.engine, [add_scenes(screening.engine, 30)], pipeline)

    work(screening.station, PACE)

    clips = clips_of(screening, job.id)
    assert bounds(clips) == [(0, 3), (4, 11), (12, 19), (20, 25)]
    assert {clip.label for clip in clips} == {"rightward"}


def test_an_image_fails_alone_and_says_why(screening: Workshop) -> None:
    engine = screening.engine
    assets = [add_picture(engine, 1, size=(128, 64)), add_scenes(engine, 20)]
    job = submit(engine, assets, parse_pipeline(ACTIONS).normal_form)

    work(screening.station, PACE)

    image, video = engine.jobs.items(job.id, limit=2).items
    assert engine.jobs.get(job.id).state is JobState.PARTIAL
    assert image.error is not None
    assert image.error.code == "needs_video"
    assert video.state is ItemState.DONE


def test_a_model_that_breaks_on_a_clip_costs_the_chunk(
    screening: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RedMoves._scores

    def broken(self: RedMoves, clip: Sequence[RgbImage]) -> NDArray[np.float32]:
        if red_middle(clip[0]) > 32 + SIDE / 2:
            raise RuntimeError("a bug")
        return real(self, clip)

    monkeypatch.setattr(RedMoves, "_scores", broken)
    pipeline = parse_pipeline(ACTIONS).normal_form
    job = submit(screening.engine, [add_scenes(screening.engine, 40)], pipeline)

    work(screening.station, PACE)

    item = the_item(screening, job.id)
    assert bounds(clips_of(screening, job.id)) == [(0, 7), (8, 15), (16, 19)]
    assert item.state is ItemState.PARTIAL
    assert any("2.000 s to 4.000 s has no results" in warning for warning in item.warnings)
