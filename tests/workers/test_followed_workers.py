"""One followed clip on one worker, on three, and with workers killed on the way: the same bytes."""

from pathlib import Path

import pytest
from follow_workshop import add_scenes, blue_at, following, red_at
from processes import running_service
from test_video_workers import kill_children, more_workers, wait_for_frames
from video_workshop import as_text
from workshop import settings_for, submit, wait_for_end

from vision.domain.states import JobState
from vision.engine.parts import open_engine
from vision.settings import Settings

FRAMES = 110
PIPELINE = following(red_at(60), blue_at(80), direction="both")


@pytest.fixture
def settings(tmp_path: Path, database_url: str, short_folder: Path) -> Settings:
    return settings_for(
        tmp_path / "data",
        database_url,
        broker_url=f"redis+socket://{short_folder}/redis.sock",
        tick_seconds=0.5,
        lease_seconds=5,
        chunk_frames=10,
        log_level="DEBUG",
    )


def test_a_followed_video_is_the_same_however_many_workers_and_deaths(settings: Settings) -> None:
    with open_engine(settings) as engine, running_service(settings) as service:
        asset = add_scenes(engine, FRAMES)
        alone = submit(engine, [asset], PIPELINE)
        assert wait_for_end(engine, alone.id).state is JobState.SUCCEEDED

        with more_workers(service, 2) as others:
            together = submit(engine, [asset], PIPELINE)
            assert wait_for_end(engine, together.id).state is JobState.SUCCEEDED

            disturbed = submit(engine, [asset], PIPELINE)
            wait_for_frames(engine, disturbed.id, 15)
            kill_children([service.worker, *others])
            wait_for_frames(engine, disturbed.id, 55)
            kill_children([service.worker, *others])
            others[0].kill()
            assert wait_for_end(engine, disturbed.id, seconds=120).state is JobState.SUCCEEDED

        expected = as_text(engine, alone.id)
        assert expected.count("BestMoment") == 2
        assert as_text(engine, together.id) == expected
        assert as_text(engine, disturbed.id) == expected
