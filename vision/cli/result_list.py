"""What the commands have in common that list results: their options, asking, and the two forms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import typer

from vision.cli.client import Client, Query
from vision.cli.output import notes, print_json, print_table

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
LabelOption = Annotated[str | None, typer.Option(help="Only this label.")]
MinScoreOption = Annotated[float | None, typer.Option(min=0, max=1, help="At least.")]
AssetOption = Annotated[str | None, typer.Option(help="Only of this asset.")]
FromOption = Annotated[
    float | None, typer.Option("--from", help="Place in the video, seconds, inclusive.")
]
ToOption = Annotated[
    float | None, typer.Option("--to", help="Place in the video, seconds, exclusive.")
]
LimitOption = Annotated[int, typer.Option(min=1, help="At most so many.")]

Table: TypeAlias = tuple[Sequence[str], Sequence[Sequence[object]]]
"""Columns and rows."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The first results of a list, and how many were asked for."""

    items: Sequence[Any]
    limit: int

    @classmethod
    def asked(cls, server: str, path: str, query: Query, *, limit: int) -> "Listing":
        with Client(server) as client:
            return cls(client.first_items(path, query, limit=limit), limit)

    def print_json(self) -> None:
        print_json({"items": self.items})

    def print_table(self, table: Table, *, everything: str | None = None) -> None:
        """`everything` is the command that gives all, where there is one."""
        columns, rows = table
        print_table(columns, rows)
        if len(self.items) == self.limit:
            rest = "" if everything is None else f", all with `{everything}`"
            notes().print(f"the first {self.limit}; more with --limit{rest}")
