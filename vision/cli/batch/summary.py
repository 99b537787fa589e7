"""The batch in one document: counts, labels, errors, timings, models with their hashes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vision import __version__
from vision.cli import exits
from vision.cli.batch.backend import FileResult
from vision.domain.states import ItemState


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn."""

    pictures: int = 0
    """That are there now."""
    videos: int = 0
    errors: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """What is known apart from the results."""

    folder: str
    pipeline: object
    skipped: Mapping[str, int]
    reused: int
    """Files that needed no work in this run: known from before, or the same content again."""
    seconds: float
    """Of this run, until every file had ended."""
    frames: int
    """Of videos, analyzed in this run."""
    drawn: Drawn


@dataclass(slots=True)
class Tally:
    """Counts results as they pass."""

    files: int = 0
    videos: int = 0
    frames: int = 0
    """Of videos, that have results."""
    tracks: int = 0
    detections: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    errors: list[dict[str, Any]] = field(default_factory=list)
    partial: list[dict[str, Any]] = field(default_factory=list)
    """Videos of which a part has results."""
    models: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def add(self, result: FileResult) -> None:
        document = result.document
        self.files += 1
        self.labels.update(document["counts"])
        self.detections += sum(document["counts"].values())
        if document["state"] == ItemState.FAILED:
            self.errors.append({"file": result.name, **document["error"]})
        if document["detections"] is None:
            self._add_video(result.name, document)
        for stage in (document["provenance"] or {}).get("stages", ()):
            key = (stage["model"], stage["weights_sha256"])
            self.models[key] = {"name": key[0], "weights_sha256": key[1], "stage": stage["stage"]}

    def _add_video(self, name: str, document: Mapping[str, Any]) -> None:
        self.videos += 1
        self.frames += document["frames_decoded"] or 0
        self.tracks += len(document["tracks"])
        if document["state"] == ItemState.PARTIAL:
            numbers = {key: document[key] for key in ("frames_decoded", "frames_declared")}
            detail = "; ".join(document["warnings"]) or "some of its frames have no results"
            self.partial.append({"file": name, **numbers, "detail": detail})

    @property
    def done(self) -> int:
        """Files with all their results."""
        return self.files - len(self.errors) - len(self.partial)

    @property
    def exit_code(self) -> int:
        if not self.errors and not self.partial:
            return exits.DONE
        return exits.FAILED if len(self.errors) == self.files else exits.PARTIAL


_STATES = {exits.DONE: "succeeded", exits.PARTIAL: "partial", exits.FAILED: "failed"}


def summary_json(tally: Tally, facts: BatchFacts) -> dict[str, object]:
    """What `summary.json` says."""
    return {
        "state": _STATES[tally.exit_code],
        "folder": facts.folder,
        "files": _files(tally, facts),
        "videos": {"files": tally.videos, "frames": tally.frames, "tracks": tally.tracks},
        "detections": tally.detections,
        "labels": dict(tally.labels.most_common()),
        "errors": tally.errors,
        "partial": tally.partial,
        "annotated": {
            "pictures": facts.drawn.pictures,
            "videos": facts.drawn.videos,
            "errors": list(facts.drawn.errors),
        },
        "timings": _timings(tally, facts),
        "pipeline": facts.pipeline,
        "models": list(tally.models.values()),
        "code_version": __version__,
    }


def _files(tally: Tally, facts: BatchFacts) -> dict[str, object]:
    return {
        "total": tally.files,
        "done": tally.done,
        "partial": len(tally.partial),
        "failed": len(tally.errors),
        "reused": facts.reused,
        "skipped": dict(facts.skipped),
    }


def _timings(tally: Tally, facts: BatchFacts) -> dict[str, float | None]:
    new, seconds = tally.files - facts.reused, facts.seconds
    return {
        "seconds": round(seconds, 3),
        "files_per_second": round(new / seconds, 3) if seconds else None,
        "frames_per_second": round(facts.frames / seconds, 3) if seconds else None,
    }
