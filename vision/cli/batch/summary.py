"""The batch in one document: counts, labels, errors, timings, models with their hashes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vision import __version__
from vision.cli import exits
from vision.cli.batch.backend import FileResult


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
    pictures: int
    """Annotated pictures that are there now."""
    picture_errors: tuple[Mapping[str, str], ...]


@dataclass(slots=True)
class Tally:
    """Counts results as they pass."""

    files: int = 0
    detections: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    errors: list[dict[str, str]] = field(default_factory=list)
    models: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def add(self, result: FileResult) -> None:
        document = result.document
        self.files += 1
        self.labels.update(document["counts"])
        self.detections += len(document["detections"])
        if document["error"] is not None:
            self.errors.append({"file": result.name, **document["error"]})
        for stage in (document["provenance"] or {}).get("stages", ()):
            key = (stage["model"], stage["weights_sha256"])
            self.models[key] = {"name": key[0], "weights_sha256": key[1], "stage": stage["stage"]}

    @property
    def exit_code(self) -> int:
        if not self.errors:
            return exits.DONE
        return exits.FAILED if len(self.errors) == self.files else exits.PARTIAL


_STATES = {exits.DONE: "succeeded", exits.PARTIAL: "partial", exits.FAILED: "failed"}


def summary_json(tally: Tally, facts: BatchFacts) -> dict[str, object]:
    """What `summary.json` says."""
    new = tally.files - facts.reused
    return {
        "state": _STATES[tally.exit_code],
        "folder": facts.folder,
        "files": {
            "total": tally.files,
            "done": tally.files - len(tally.errors),
            "failed": len(tally.errors),
            "reused": facts.reused,
            "skipped": dict(facts.skipped),
        },
        "detections": tally.detections,
        "labels": dict(tally.labels.most_common()),
        "errors": tally.errors,
        "annotated": {"pictures": facts.pictures, "errors": list(facts.picture_errors)},
        "timings": {
            "seconds": round(facts.seconds, 3),
            "files_per_second": round(new / facts.seconds, 3) if facts.seconds else None,
        },
        "pipeline": facts.pipeline,
        "models": list(tally.models.values()),
        "code_version": __version__,
    }
