"""A batch from beginning to end: analyzed, written down, drawn, summed up."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vision.cli.batch.backend import Backend, FileResult
from vision.cli.batch.folder import FolderContent
from vision.cli.batch.output_folder import OutputFolder
from vision.cli.batch.pictures import Pictures
from vision.cli.batch.results import write_results
from vision.cli.batch.run import BatchRun
from vision.cli.batch.summary import BatchFacts, Tally, summary_json
from vision.cli.files import replacing
from vision.cli.output import json_text
from vision.cli.progress import progress_bar


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """What is to be done, and where it goes."""

    folder: Path
    content: FolderContent
    place: OutputFolder
    annotate: bool


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What came of it."""

    tally: Tally
    facts: BatchFacts

    @property
    def summary(self) -> dict[str, object]:
        return summary_json(self.tally, self.facts)


def carry_out(order: BatchOrder, backend: Backend) -> BatchOutcome:
    """Results, summary and pictures are written when this returns."""
    started = time.monotonic()
    run = BatchRun(backend, order.content.found)
    _analyze(run, files=len(order.content.found))
    seconds = time.monotonic() - started
    tally, pictures = _write(run, order, pipeline_sha256=backend.pipeline_sha256)
    facts = BatchFacts(
        folder=str(order.folder),
        pipeline=backend.pipeline,
        skipped=order.content.skipped,
        reused=run.reused,
        seconds=seconds,
        pictures=pictures.drawn,
        picture_errors=tuple(pictures.errors),
    )
    outcome = BatchOutcome(tally, facts)
    with replacing(order.place.summary) as file:
        file.write(json_text(outcome.summary))
    return outcome


def _analyze(run: BatchRun, *, files: int) -> None:
    with progress_bar("files") as bar:
        task = bar.add_task("analyzing", total=files)
        run.run(lambda ended: bar.update(task, completed=ended))


def _write(run: BatchRun, order: BatchOrder, *, pipeline_sha256: str) -> tuple[Tally, Pictures]:
    tally = Tally()
    names = _names(order)
    with (
        progress_bar("files") as bar,
        Pictures(order.place, names, pipeline_sha256=pipeline_sha256) as pictures,
    ):
        task = bar.add_task("writing", total=len(names))

        def pass_on(result: FileResult) -> None:
            tally.add(result)
            if order.annotate:
                pictures.add(result)
            bar.advance(task)

        write_results(run.results(), order.place.results, each=pass_on)
    return tally, pictures


def _names(order: BatchOrder) -> Sequence[str]:
    return [file.name for file in order.content.found]
