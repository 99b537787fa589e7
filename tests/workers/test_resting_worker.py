"""A worker's memory between jobs."""

import time
from pathlib import Path

from processes import REAL_WORKER, running_service
from workshop import settings_for, wait_for_end

from vision.domain.states import JobState
from vision.engine.parts import open_engine
from vision.engine.submit import JobRequest

YARD = Path(__file__).parents[2] / "samples/images/yard-1.jpg"
EVERYTHING = {"segment": {"model": "demo_sam", "prompt": "everything"}}
MIB = 2**20
GIVEN_BACK = 50 * MIB
PATIENCE_SECONDS = 60


def test_a_worker_without_work_gives_back_the_memory_of_large_arrays(
    tmp_path: Path, sqlite_url: str, short_folder: Path
) -> None:
    broker = f"redis+socket://{short_folder}/redis.sock"
    settings = settings_for(tmp_path / "data", sqlite_url, broker_url=broker, tick_seconds=0.5)
    with open_engine(settings) as engine, running_service(settings, worker=REAL_WORKER) as service:
        yard, _ = engine.ingest.add_file(YARD)
        job, _ = engine.submissions.submit(JobRequest((yard.id,), EVERYTHING))
        assert wait_for_end(engine, job.id).state is JobState.SUCCEEDED
        (child,) = service.worker.children()
        kept = resident_bytes(child)
        deadline = time.monotonic() + PATIENCE_SECONDS

        while resident_bytes(child) > kept - GIVEN_BACK:
            assert time.monotonic() < deadline, "it keeps everything"
            time.sleep(0.2)


def resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024
