"""Waiting for a job of a server, with a bar."""

import time
from typing import Any

from vision.cli import exits
from vision.cli.client import POLL_SECONDS, Client
from vision.cli.job_progress import video_progress
from vision.cli.output import notes
from vision.cli.progress import WorkBar
from vision.domain.states import JobState

END_CODES = {
    JobState.SUCCEEDED: exits.DONE,
    JobState.PARTIAL: exits.PARTIAL,
    JobState.FAILED: exits.FAILED,
    JobState.CANCELLED: exits.FAILED,
}


def wait_for(client: Client, job: str, *, timeout_seconds: float | None = None) -> Any:
    """The job when it has ended, or as it is after so long; then a note says so."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    with WorkBar("waiting", "files") as bar:
        while True:
            found = client.get(f"/jobs/{job}")
            progress = found["progress"]
            bar.show(progress["done"], progress["total"], video=video_progress(progress))
            if JobState(found["state"]).is_final:
                return found
            if deadline is not None and time.monotonic() >= deadline:
                notes().print(f"job {job} has not ended after {timeout_seconds:g} s")
                return found
            time.sleep(POLL_SECONDS)


def exit_code(job: Any) -> int:
    """0 all done, 3 a part of it, 1 failed, cancelled or not ended."""
    return END_CODES.get(JobState(job["state"]), exits.FAILED)
