"""`vision bench`: measures on this machine and says which targets are met."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vision.cli import exits
from vision.cli.bench import decode, interactive, pages, rows, tracking, upload, video, work
from vision.cli.bench.measure import Figure, machine
from vision.cli.lazy import load
from vision.cli.output import notes, out, print_json, print_table
from vision.errors import FieldError, InvalidRequest
from vision.storage.database import Database
from vision.storage.migrate import migrate


def _models() -> list[Figure]:
    """Imported when it is wanted: every library of every family, seconds of it."""
    figures: list[Figure] = load("vision.cli.bench.models:run")()
    return figures


def _follow() -> list[Figure]:
    figures: list[Figure] = load("vision.cli.bench.follow:run")()
    return figures


def _sam() -> list[Figure]:
    figures: list[Figure] = load("vision.cli.bench.sam:run")()
    return figures


WITHOUT_DATABASE: Mapping[str, Callable[[], list[Figure]]] = {
    "work": work.run,
    "interactive": interactive.run,
    "decode": decode.run,
    "upload": upload.run,
    "video": video.run,
    "tracking": tracking.run,
    "models": _models,
    "follow": _follow,
    "sam": _sam,
}
NAMES = (*WITHOUT_DATABASE, "rows", "pages")
PAGE_ROWS = 3_000_000


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Any of {', '.join(NAMES)}; all by default.")
    ] = None,
    database_url: Annotated[
        list[str] | None,
        typer.Option(help="An EMPTY database that rows and pages also measure; may be repeated."),
    ] = None,
    page_rows: Annotated[int, typer.Option(min=100_000, help="How many rows pages read from.")] = (
        PAGE_ROWS
    ),
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Measure this machine, each figure in one run against its reference."""
    wanted = tuple(names or NAMES)
    _require_known(wanted)
    with tempfile.TemporaryDirectory() as folder:
        urls = (f"sqlite:///{Path(folder) / 'bench.sqlite'}", *(database_url or ()))
        figures = [
            figure for name in wanted for figure in _measured(name, urls=urls, page_rows=page_rows)
        ]
    _show(figures, as_json=json)
    raise typer.Exit(exits.DONE if all(figure.is_met for figure in figures) else exits.FAILED)


def _require_known(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in NAMES:
            problem = FieldError("names", f"{name} is none of {', '.join(NAMES)}")
            raise InvalidRequest("there is no such measurement", [problem])


def _measured(name: str, *, urls: tuple[str, ...], page_rows: int) -> list[Figure]:
    notes().print(f"measuring {name} …")
    if name == "rows":
        return [rows.run(database, name=_name(database)) for database in _databases(urls)]
    if name == "pages":
        return [
            figure
            for database in _databases(urls)
            for figure in pages.run(database, rows=page_rows, name=_name(database))
        ]
    return WITHOUT_DATABASE[name]()


def _databases(urls: tuple[str, ...]) -> Iterator[Database]:
    for url in urls:
        with closing(Database(url)) as database:
            migrate(database)
            yield database


def _name(database: Database) -> str:
    return "PostgreSQL" if database.is_postgresql else "SQLite"


def _show(figures: list[Figure], *, as_json: bool) -> None:
    if as_json:
        print_json({"machine": machine(), "figures": [asdict(figure) for figure in figures]})
        return
    out().print(machine())
    print_table(
        ("what", "ours", "reference", "figure", "target", ""),
        (
            (
                figure.name,
                figure.ours,
                figure.reference,
                f"{figure.ratio:.2f}",
                figure.target,
                "met" if figure.is_met else "MISSED",
            )
            for figure in figures
        ),
    )
