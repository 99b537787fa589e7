"""The folder a batch writes to, held by one batch at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vision.errors import Conflict, InvalidRequest


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """Where everything of a batch goes."""

    path: Path

    @property
    def results(self) -> Path:
        return self.path / "results.jsonl"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def annotated(self) -> Path:
        """Pictures and videos with what was found drawn into them."""
        return self.path / "annotated"

    @property
    def state(self) -> Path:
        """What is needed to go on after an interruption."""
        return self.path / ".vision"


@contextmanager
def held(path: Path) -> Iterator[OutputFolder]:
    """Made if need be, and held until the block ends or the process dies.

    Raises Conflict when another batch holds it, InvalidRequest when it can't be made.
    """
    folder = OutputFolder(path)
    try:
        folder.state.mkdir(parents=True, exist_ok=True)
        # Kept afterwards: removing a lock file lets two processes lock two different ones.
        lock = (folder.state / "lock").open("w")
    except OSError as error:
        raise InvalidRequest(f"can't write to {path}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"another batch is writing to {path}; wait for it or name another --out"
            ) from error
        yield folder
