"""Where a folder of weights can come from: what a hub and a mirror have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """What the other side says of a file; None where it doesn't."""

    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """What the other side has."""

    what: str
    """How sentences call it."""
    files: Mapping[str, RemoteFile]
    """By name; may be more than is wanted."""
    revision: str | None
    """The commit, where the other side knows it."""


class SnapshotSource(Protocol):
    """A folder on the other side."""

    def look(self) -> RemoteFolder:
        """What is there. Raises OperatorError, TemporaryError."""
        ...

    def fetch(
        self, name: str, part: Path, *, folder: RemoteFolder, on_bytes: Callable[[int], None]
    ) -> None:
        """Fill `part`; what it holds already is kept, and continued where that can be done.

        `on_bytes` is called with how many are here. Raises OperatorError, TemporaryError.
        """
        ...
