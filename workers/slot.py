"""A worker's lasting name, so that after a crash it knows which leases are its own dead ones."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TextIO
from uuid import uuid4

log = logging.getLogger(__name__)


@contextmanager
def worker_slot(folder: Path) -> Iterator[str]:
    """The name in the first file of `folder` that no living worker holds.

    The lock ends with the process, however that ends; the next worker to take the slot has the
    same name, and nobody else has it. `folder` is made; workers of one host share it. Where it
    can't be written the name is a fresh one: a dead worker's leases then have to run out.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        slot = _first_free(folder)
    except OSError as error:
        log.warning("no lasting name for this worker", extra={"error": str(error)})
        yield uuid4().hex
        return
    with slot:
        yield slot.read() or _named(slot)


def _first_free(folder: Path) -> TextIO:
    for number in count():
        slot = (folder / f"{number}.slot").open("a+", encoding="ascii")
        try:
            fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            slot.close()
            continue
        slot.seek(0)
        return slot
    raise AssertionError("count() doesn't end")


def _named(slot: TextIO) -> str:
    name = uuid4().hex
    slot.write(name)
    slot.flush()
    return name
