"""The service's real worker follows by a SAM 2 on disk, and is killed in the middle of a chunk."""

from pathlib import Path

import pytest
from processes import REAL_WORKER, running_service
from test_video_workers import kill_children, wait_for_frames
from tiny_video_sams import FAMILIES, SIZE, frame
from video_workshop import as_text, write_clip
from workshop import add_file, settings_for, submit, wait_for_end

from vision.domain.states import JobState
from vision.engine.parts import open_engine
from vision.models.adding import add_model
from vision.pipelines.document import parse_pipeline

FRAMES = 40


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the model `own`."""
    network = FAMILIES["sam2"].saved(tmp_path_factory.mktemp("network"))
    folder = tmp_path_factory.mktemp("models")
    add_model(folder, "own", like="sam2.1_hiera_tiny", file=network)
    return folder


@pytest.mark.slow
def test_a_killed_worker_costs_a_chunk_and_changes_no_byte(
    tmp_path: Path, database_url: str, short_folder: Path, models_dir: Path
) -> None:
    settings = settings_for(
        tmp_path / "data",
        database_url,
        broker_url=f"redis+socket://{short_folder}/redis.sock",
        models_dir=models_dir,
        tick_seconds=0.5,
        lease_seconds=10,
        chunk_frames=4,
    )
    objects = [
        {"id": 1, "at_seconds": 0.3, "points": [[12, 11, 1], [40, 40, 0]]},
        {"id": 4, "at_seconds": 1.1, "box": [20, 10, 45, 40]},
    ]
    pipeline = parse_pipeline({"follow": {"model": "own", "objects": objects}}).normal_form
    with open_engine(settings) as engine, running_service(settings, worker=REAL_WORKER) as service:
        path = engine.blobs.staging / "film.mp4"
        size = (SIZE.width, SIZE.height)
        write_clip(path, range(FRAMES), keyframe_every=2, draw=frame, size=size)
        asset = add_file(engine, path)
        quiet = submit(engine, [asset], pipeline)
        assert wait_for_end(engine, quiet.id, seconds=240).state is JobState.SUCCEEDED

        disturbed = submit(engine, [asset], pipeline)
        for frames in (6, 20):
            wait_for_frames(engine, disturbed.id, frames)
            kill_children([service.worker])
        assert wait_for_end(engine, disturbed.id, seconds=240).state is JobState.SUCCEEDED

        expected = as_text(engine, quiet.id)
        assert expected.count("BestMoment") == 2, "nothing was followed"
        assert as_text(engine, disturbed.id) == expected
