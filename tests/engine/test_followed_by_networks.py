"""Networks follow through chunks as through one uninterrupted session: SAM 2, SAM 3."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from follow_workshop import masks_of
from test_followed_videos import frames_of, masks_of_one_session, prompts_in, the_item
from tiny_video_sams import SIZE, frame, tiny_follower, tiny_word_follower
from video_workshop import write_clip
from workshop import Workshop, add_file, open_workshop, settings_for, submit

from vision.domain.states import JobState
from vision.domain.video import Frame
from vision.engine.station import Pace, RunsImages
from vision.engine.work_loop import work
from vision.models.base import Model
from vision.models.pool import ModelPool
from vision.models.video import VideoSegmenter
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline

FRAMES = 18
FAMILIES = ("sam2", "sam3_tracker")
RED = {"id": 1, "at_seconds": 0.3, "points": [[12, 11, 1], [40, 40, 0]]}
BOXED = {"id": 4, "at_seconds": 1.1, "box": [20, 10, 45, 40]}


class OneModel:
    """Stands for a `ModelPool`."""

    def __init__(self, model: VideoSegmenter) -> None:
        self._model = model

    def get(self, _name: str, _interface: type[Model]) -> Model:
        return self._model


@pytest.fixture
def opened(tmp_path: Path, sqlite_url: str) -> Iterator[Callable[[VideoSegmenter], Workshop]]:
    """A workshop with that model, in chunks of six frames."""
    settings = settings_for(tmp_path / "data", sqlite_url, chunk_frames=6)
    models: list[VideoSegmenter] = []

    def pipeline(document: object) -> RunsImages:
        return ImagePipeline(parse_pipeline(document), cast(ModelPool, OneModel(models[0])))

    with open_workshop(settings, open_pipeline=pipeline) as workshop:

        def with_model(model: VideoSegmenter) -> Workshop:
            models.append(model)
            return workshop

        yield with_model


def film(workshop: Workshop) -> Path:
    path = workshop.engine.blobs.staging / "film.mp4"
    size = (SIZE.width, SIZE.height)
    return write_clip(path, range(FRAMES), keyframe_every=3, draw=frame, size=size)


def run(workshop: Workshop, **stage: object) -> tuple[dict[tuple[int, int], str], list[Frame]]:
    """Masks by frame and object, and all frames."""
    pipeline = parse_pipeline({"follow": {"model": "tiny", **stage}}).normal_form
    job = submit(workshop.engine, [add_file(workshop.engine, film(workshop))], pipeline)
    work(workshop.station, Pace(max_fails=1))
    assert workshop.engine.jobs.get(job.id).state is JobState.SUCCEEDED, the_item(workshop, job.id)
    return masks_of(workshop.engine, job.id), frames_of(workshop, job.id)


@pytest.mark.parametrize("family", FAMILIES)
def test_prompted_objects(opened: Callable[[VideoSegmenter], Workshop], family: str) -> None:
    model = tiny_follower(family)
    workshop = opened(model)
    objects = [RED, BOXED]

    masks, frames = run(workshop, objects=objects)

    prompts = prompts_in({"follow": {"model": "tiny", "objects": objects}})
    expected = masks_of_one_session(model.start(SIZE), frames[3:], prompts)
    assert masks == expected
    assert {number for _, number in expected} == {1, 4}
    assert len({index for index, _ in expected}) > 10, "what isn't seen isn't compared"


def test_both_ways(opened: Callable[[VideoSegmenter], Workshop]) -> None:
    model = tiny_follower("sam2")
    workshop = opened(model)

    masks, frames = run(workshop, objects=[BOXED], direction="both")

    prompts = prompts_in({"follow": {"model": "tiny", "objects": [BOXED]}})
    back = masks_of_one_session(model.start(SIZE, reverse=True), frames[11::-1], prompts)
    ahead = masks_of_one_session(model.start(SIZE), frames[11:], prompts)
    assert masks == {**back, **ahead}


def test_words(opened: Callable[[VideoSegmenter], Workshop]) -> None:
    model = tiny_word_follower()
    workshop = opened(model)
    words = ["red", "ball"]

    masks, frames = run(workshop, text=words, max_objects=5)

    session = model.start(SIZE, words=words, max_objects=5)
    expected = masks_of_one_session(session, frames, {})
    assert masks == expected
    assert len(expected) > 10, "what isn't seen isn't compared"
