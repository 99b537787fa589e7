"""Works off one long clip in a process of its own and says how much memory that took.

`python memory_run.py CLIP FOLDER SAMPLE_JSON`; the answer is a line of JSON: a list of
[frames done, bytes of this process, bytes of the decode process].
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from video_workshop import SPOTS, open_spot_pipeline
from workshop import Workshop, add_file, open_workshop, settings_for, submit

from vision.domain.job import Lease
from vision.domain.states import JobState
from vision.engine.station import Pace
from vision.engine.work_loop import work
from vision.storage.migrate import migrate

FRAMES_PER_LOOK = 20
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def decode_processes() -> list[int]:
    """Our living ones."""
    lists = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    children = [int(word) for one in lists for word in one.read_text().split()]
    return [pid for pid in children if b"decode" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def run(workshop: Workshop, clip: Path, sample: dict[str, object]) -> list[tuple[int, int, int]]:
    engine = workshop.engine
    job = submit(engine, [add_file(engine, clip)], {**SPOTS, "sample": sample})
    seen: list[tuple[int, int, int]] = []
    done = 0

    def look(_lease: Lease, frames: int) -> None:
        nonlocal done
        done += frames
        if done % FRAMES_PER_LOOK:
            return
        decoding = max(resident_bytes(pid) for pid in decode_processes())
        seen.append((done, resident_bytes(os.getpid()), decoding))

    work(workshop.station, Pace(), on_frames=look)
    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED
    return seen


def main(clip: str, folder: str, sample: str) -> None:
    settings = settings_for(Path(folder) / "data", f"sqlite:///{folder}/state.sqlite")
    with open_workshop(settings, open_pipeline=open_spot_pipeline) as workshop:
        migrate(workshop.engine.database)
        print(json.dumps(run(workshop, Path(clip), json.loads(sample))))


if __name__ == "__main__":
    main(*sys.argv[1:])
