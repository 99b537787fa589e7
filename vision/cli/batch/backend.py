"""What a batch needs from whoever does the work: this machine, or a server."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vision.cli.batch.folder import FoundFile
from vision.domain.job import VideoProgress


class BadFile(Exception):
    """A file that can't become an item of a job; the batch names it and goes on."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NotDrawn(Exception):
    """An annotated video that can't be had; the batch names it and goes on."""

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
class KnownAsset:
    """A file as the backend knows it."""

    id: str
    is_video: bool
    seconds: float = 0.0
    """Of a video: about how much of it is to be analysed, by its header."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is."""

    ended: int
    """Items with results or with an error."""
    is_final: bool
    video: VideoProgress | None = None
    """None for a job without videos."""

    @property
    def has_begun(self) -> bool:
        return self.ended > 0 or (self.video is not None and self.video.frames_done > 0)


@dataclass(frozen=True, slots=True)
class EarlierWork:
    """What an interrupted batch of the same pipeline has left."""

    job_of: Mapping[str, str]
    """By asset, the job that has its results, its final error, or still works on it."""
    settled: frozenset[str]
    """Assets of `job_of` that need no more work."""
    open_jobs: tuple[str, ...]
    """Jobs that go on by themselves; the oldest first."""


class Film(Protocol):
    """One video's results that are too large for a line."""

    def detections(self) -> Iterator[Mapping[str, Any]]:
        """In order of time, masks and keypoints too; never all of them in memory."""
        ...

    def classifications(self) -> Iterator[Mapping[str, Any]]:
        """What frames and clips show, in order of time; see `whole_lines`."""
        ...

    def embeddings(self) -> Iterator[Mapping[str, Any]]:
        """Of whole frames, in order of time."""
        ...

    def collect(self, path: Path) -> float:
        """How much of the annotated MP4 is drawn, 0 to 1; at 1 it has been written to `path`.

        The first call asks for it; the others look again. Raises NotDrawn.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileResult:
    """What came of one file."""

    name: str
    sha256: str | None
    """None when it couldn't be read."""
    document: Mapping[str, Any]
    """An image: as a line of the `jsonl` export. A video: see `video_line`."""
    draw: Callable[[], bytes] | None = None
    """Makes the annotated picture; None for a video, and for a file without results."""
    film: Film | None = None
    """Of a video with results."""


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

    def asset_of(self, file: HashedFile) -> KnownAsset:
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

    def result(self, file: HashedFile, *, asset: KnownAsset, job: str) -> FileResult:
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
        "classes": None,
        "embedding": None,
        "provenance": None,
    }
    return FileResult(name, sha256, document)
