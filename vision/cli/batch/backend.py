"""What a batch needs from whoever does the work: this machine, or a server."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vision.cli.batch.folder import FoundFile


class BadFile(Exception):
    """A file that can't become an item of a job; the batch names it and goes on."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file and what it holds."""

    found: FoundFile
    sha256: str
    size_bytes: int
    changed_at_ns: int
    """By the file system, before it was hashed."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is."""

    ended: int
    """Items with results or with an error."""
    is_final: bool


@dataclass(frozen=True, slots=True)
class EarlierWork:
    """What an interrupted batch of the same pipeline has left."""

    job_of: Mapping[str, str]
    """By asset, the job that has its results, its final error, or still works on it."""
    settled: frozenset[str]
    """Assets of `job_of` that need no more work."""
    open_jobs: tuple[str, ...]
    """Jobs that go on by themselves; the oldest first."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What came of one file."""

    name: str
    sha256: str | None
    """None when it couldn't be read."""
    document: Mapping[str, Any]
    """As a line of the `jsonl` export."""
    draw: Callable[[], bytes] | None
    """Makes the annotated picture; None for a file without results."""


class Backend(Protocol):
    """Assets and jobs go by their ids as text. Calls come from any thread."""

    @property
    def pipeline(self) -> object:
        """As asked: a name or a document."""
        ...

    @property
    def pipeline_sha256(self) -> str:
        """Results of an equal hash needn't be made again."""
        ...

    def earlier_work(self) -> EarlierWork: ...

    def asset_of(self, file: HashedFile) -> str:
        """The asset with this content, made if need be. Raises BadFile."""
        ...

    def submit(self, assets: Sequence[str]) -> str:
        """The new job."""
        ...

    def all_submitted(self) -> None:
        """Every file of the folder is known by now."""
        ...

    def progress(self, job: str) -> JobProgress:
        """Raises whatever ended the work."""
        ...

    def result(self, file: HashedFile, *, asset: str, job: str) -> FileResult:
        """Of a job that has ended."""
        ...


def result_of_bad_file(name: str, *, sha256: str | None, code: str, detail: str) -> FileResult:
    """In the form of an item that failed in a job."""
    document: dict[str, Any] = {
        "asset_id": None,
        "state": "failed",
        "error": {"code": code, "detail": detail},
        "media": None,
        "warnings": [],
        "counts": {},
        "detections": [],
        "provenance": None,
    }
    return FileResult(name, sha256, document, None)
