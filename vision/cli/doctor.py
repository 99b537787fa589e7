"""`vision doctor`: what is missing on this machine, and what to do about it."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape

from vision.cli import exits
from vision.cli.checks import libraries, surroundings
from vision.cli.checks.finding import Finding, Status
from vision.cli.checks.weights import weights
from vision.cli.configuration import read_settings
from vision.cli.output import out, print_json
from vision.settings import Settings

COLORS = {Status.OK: "green", Status.WARN: "yellow", Status.MISSING: "bold red"}
STATUS_WIDTH = 8
NAME_WIDTH = 20


class Scope(StrEnum):
    """What this machine is for."""

    ALL = "all"
    API = "api"
    """No models run here: API, tick and migrate."""


def doctor(
    part: Annotated[Scope, typer.Option(help="`api`: no models run here.")] = Scope.ALL,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """What is missing on this machine, and what to do about it."""
    findings = list(examined(read_settings(), part))
    is_well = all(finding.status is not Status.MISSING for finding in findings)
    if as_json:
        print_json({"is_well": is_well, "findings": findings})
    else:
        _print(findings)
    raise typer.Exit(exits.DONE if is_well else exits.FAILED)


def examined(settings: Settings, scope: Scope) -> Iterator[Finding]:
    """Everything that matters in `scope`."""
    yield libraries.python()
    if scope is Scope.ALL:
        yield from libraries.worker_libraries(settings.device)
        yield from weights(settings)
    else:
        yield from libraries.media_libraries()
    yield surroundings.bell(settings)
    yield surroundings.database(settings)
    yield surroundings.blobs(settings)
    yield surroundings.disk(settings)


def _print(findings: Sequence[Finding]) -> None:
    console = out()
    for finding in findings:
        color = COLORS[finding.status]
        status = f"[{color}]{finding.status:<{STATUS_WIDTH}}[/]"
        console.print(f"{status} {finding.name:<{NAME_WIDTH}} {escape(finding.detail)}")
        if finding.advice:
            console.print(f"{'':<{STATUS_WIDTH + NAME_WIDTH + 1}} → {escape(finding.advice)}")
