"""A batch from beginning to end: analyzed, written down, drawn, summed up."""

import time
from dataclasses import dataclass
from pathlib import Path

from vision.cli.batch.backend import Backend, FileResult
from vision.cli.batch.drawn_record import DrawnRecord
from vision.cli.batch.films import Films
from vision.cli.batch.folder import FolderContent
from vision.cli.batch.output_folder import OutputFolder
from vision.cli.batch.pictures import Pictures
from vision.cli.batch.results import write_results
from vision.cli.batch.run import BatchRun
from vision.cli.batch.summary import BatchFacts, Drawn, Tally, summary_json
from vision.cli.files import replacing
from vision.cli.output import json_text
from vision.cli.progress import WorkBar, progress_bar


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
    """Results, summary and everything annotated are written when this returns."""
    started = time.monotonic()
    run = BatchRun(backend, order.content.found)
    analyze_all(run, files=len(order.content.found))
    seconds = time.monotonic() - started
    tally, drawn = _write(run, order, pipeline_sha256=backend.pipeline_sha256)
    facts = BatchFacts(
        folder=str(order.folder),
        pipeline=backend.pipeline,
        skipped=order.content.skipped,
        reused=run.reused,
        seconds=seconds,
        frames=run.frames,
        drawn=drawn,
    )
    outcome = BatchOutcome(tally, facts)
    with replacing(order.place.summary) as file:
        file.write(json_text(outcome.summary))
    return outcome


def analyze_all(run: BatchRun, *, files: int) -> None:
    """With a bar."""
    with WorkBar("analyzing", "files") as bar:
        run.run(lambda progress: bar.show(progress.ended, files, video=progress.video))


def draw_all(films: Films) -> None:
    """With a bar."""
    if not len(films):
        return
    with progress_bar("videos") as bar:
        task = bar.add_task("drawing", total=len(films))
        films.draw(lambda done: bar.update(task, completed=done))


def _write(run: BatchRun, order: BatchOrder, *, pipeline_sha256: str) -> tuple[Tally, Drawn]:
    tally, folder = Tally(), order.place.annotated
    names = [file.name for file in order.content.found]
    record = DrawnRecord(order.place, pipeline_sha256=pipeline_sha256)
    films = Films(folder, [name for name in names if name in run.videos], record)
    images = [name for name in names if name not in run.videos]
    with progress_bar("files") as bar, Pictures(folder, images, record) as pictures:
        task = bar.add_task("writing", total=len(names))

        def pass_on(result: FileResult) -> None:
            tally.add(result)
            if order.annotate:
                pictures.add(result)
                films.add(result)
            bar.advance(task)

        write_results(run.results(), order.place, each=pass_on)
    draw_all(films)
    errors = (*pictures.errors, *films.errors)
    return tally, Drawn(pictures.drawn, films.drawn, errors)
