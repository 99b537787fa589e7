"""A client of server-sent events, as small as the standard allows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Event:
    """One event, or a comment in place of it."""

    id: str = ""
    event: str = ""
    data: Any = None
    comment: str = ""


@contextmanager
def listening(
    client: httpx.Client, job_id: str, *, after: str | None = None
) -> Iterator[Iterator[Event]]:
    """The events of a job as they come; `after` is the id of the last one that was received."""
    headers = {} if after is None else {"Last-Event-ID": after}
    with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        yield parsed(answer.iter_lines())


def heard(client: httpx.Client, job_id: str, *, after: str | None = None) -> list[Event]:
    """All events until the server ends the stream."""
    with listening(client, job_id, after=after) as events:
        return list(events)


def parsed(lines: Iterator[str]) -> Iterator[Event]:
    """Every block of lines is an event."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name or "comment"] = value
        elif fields:
            data = fields.pop("data", None)
            yield Event(**fields, data=None if data is None else json.loads(data))
            fields = {}
