"""What the command line prints: results on standard output, everything else on standard error."""

import sys
from collections.abc import Iterable, Sequence

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vision.cli.problems import ServerRefused
from vision.errors import InvalidRequest

PIPE_WIDTH = 10_000
"""Columns: more than any row has."""


def out() -> Console:
    """Standard output, for tables and sentences that are the answer."""
    return Console(soft_wrap=True, highlight=False)


def notes() -> Console:
    """Standard error, for progress and remarks: never in the way of `> file` or `| jq`."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def json_text(value: object) -> bytes:
    """One indented document and a line feed."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def print_json(value: object) -> None:
    """One indented JSON document."""
    print_bytes(json_text(value))


def print_bytes(text: bytes) -> None:
    """As they are, to standard output."""
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table that never cuts a value; the first column is never folded either: it is copied."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for position, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=position == 0)
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    # In a pipe nothing is folded: `grep` and `awk` want one row in one line.
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    Console(highlight=False, width=width).print(table)


def counted(number: int, noun: str) -> str:
    """1 video, 2 videos."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def complain(error: Exception) -> None:
    """One sentence, and one line for every wrong field."""
    console = notes()
    console.print(f"[bold red]error:[/] {escape(str(error))}")
    if isinstance(error, InvalidRequest | ServerRefused):
        for wrong in error.errors:
            console.print(f"  {escape(wrong.field)}: {escape(wrong.detail)}")
