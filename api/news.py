"""What changed in a job since a client last heard of it, as server-sent events.

An event's id says what the client knows once it has it: state and progress, each as a short hash.
So any process can go on where another stopped, and nothing has to be kept for it.
"""

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Self

from fastapi.sse import ServerSentEvent

from api.schemas.jobs import JobAnswer
from vision.domain.job import Job

_ID: Final = re.compile(r"([0-9a-f]{12})?-([0-9a-f]{12})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a client knows of a job."""

    state: str = ""
    progress: str = ""

    @classmethod
    def from_id(cls, event_id: str | None) -> Self:
        """Of the last event it got; nothing where that isn't an id of ours."""
        match = _ID.fullmatch(event_id or "")
        return cls(*match.groups(default="")) if match else cls()

    @property
    def id(self) -> str:
        return f"{self.state}-{self.progress}"


def news(job: Job, heard: Heard) -> Iterator[tuple[ServerSentEvent, Heard]]:
    """What the client doesn't know yet, each with what it knows then; the state comes last."""
    answer = JobAnswer.of(job, now=time.time())
    # The time left changes by itself, and that is no news.
    progress = _hash(answer.progress.model_dump_json(exclude={"eta_seconds"}))
    if progress != heard.progress:
        heard = replace(heard, progress=progress)
        yield ServerSentEvent(event="progress", id=heard.id, data=answer.progress), heard
    # A job that is retried has another end.
    state = _hash(f"{job.state.value} {job.run}")
    if state != heard.state:
        heard = replace(heard, state=state)
        yield ServerSentEvent(event="state", id=heard.id, data=answer), heard


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
