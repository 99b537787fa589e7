"""Followers as a user has them: added by name, out of the pool, and from process to process."""

import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import pytest
from own_models import pool_of
from tiny_video_sams import FAMILIES, SIZE, drawn, frame, points, save_word_follower

from vision.domain.mask import RleMask
from vision.models.acceptances import Acceptances
from vision.models.adding import add_model
from vision.models.base import PromptSegmenter
from vision.models.catalogue import listed_specs
from vision.models.pool import ModelPool
from vision.models.spec import Task
from vision.models.video import ConceptFollower, VideoSegmenter, VideoSession

LIKE = {"sam2": "sam2", "edgetam": "edgetam", "sam3_tracker": "sam3", "words": "sam3"}
"""By test case the family in the catalogue."""
PROMPTS = [points(1, (12, 10, 1)), drawn(2, left=20, top=20)]
FROM_PROCESS_TO_PROCESS = ("words",)
"""A process of its own needs its time: the long runs do it with others."""
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(scope="module", params=LIKE)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def models_dir(case: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family's tiny network as a user's own model, named `own`."""
    folder = tmp_path_factory.mktemp("weights")
    save_word_follower(folder) if case == "words" else FAMILIES[case].saved(folder)
    models_dir = tmp_path_factory.mktemp("models")
    like = next(spec for spec in listed_specs().values() if spec.family == LIKE[case])
    if like.license.is_restricted:
        Acceptances(models_dir).accept(like, by="the tests")
    add_model(models_dir, "own", like=like.name, file=folder)
    return models_dir


def follower(case: str, pool: ModelPool) -> VideoSegmenter:
    return pool.get("own", ConceptFollower if case == "words" else VideoSegmenter)


def begun(case: str, pool: ModelPool) -> VideoSession:
    session = follower(case, pool).start(SIZE, words=["dog"] if case == "words" else ())
    session.feed(frame(0), frame_index=0, prompts=[] if case == "words" else PROMPTS)
    for index in range(1, 5):
        session.feed(frame(index), frame_index=index)
    return session


def rest(session: VideoSession) -> list[tuple[Sequence[RleMask], bytes]]:
    found = [session.feed(frame(index), frame_index=index) for index in range(5, 9)]
    return [(one.masks, one.presence.tobytes()) for one in found]


def rest_elsewhere(
    case: str, models_dir: Path, state: bytes
) -> list[tuple[Sequence[RleMask], bytes]]:
    return rest(follower(case, pool_of(models_dir)).resume(state))


def test_session_goes_on_in_another_pool(case: str, models_dir: Path) -> None:
    session = begun(case, pool_of(models_dir))

    there = rest_elsewhere(case, models_dir, session.save())

    assert there == rest(session)
    assert any(mask.area for masks, _ in there for mask in masks)


@pytest.mark.parametrize("case", FROM_PROCESS_TO_PROCESS, scope="module", indirect=True)
def test_session_goes_on_in_another_process(case: str, models_dir: Path) -> None:
    session = begun(case, pool_of(models_dir))

    with SPAWN.Pool(1) as worker:
        there = worker.apply(rest_elsewhere, (case, models_dir, session.save()))

    assert there == rest(session)


def test_one_folder_is_a_model_for_pictures_and_one_for_videos(case: str, models_dir: Path) -> None:
    pool = pool_of(models_dir)

    assert pool.get("own", PromptSegmenter).identity.name == "own"
    assert follower(case, pool) is follower(case, pool)
    assert len(pool.loaded) == 2


def test_catalogue_says_who_follows() -> None:
    following = {spec.family for spec in listed_specs().values() if Task.FOLLOW in spec.tasks}

    assert following == {"sam2", "edgetam", "sam3"}
