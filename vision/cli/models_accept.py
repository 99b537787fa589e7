"""`vision models accept`: somebody stands by the terms of a model that forbids uses."""

import getpass
from typing import Annotated

import typer
from rich.markup import escape

from vision.cli.models import NameArgument, opened
from vision.cli.output import out
from vision.models.licenses import License


def accept(
    name: NameArgument,
    *,
    by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Who accepts it; default: the login name.")
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take it back.")] = False,
) -> None:
    """Accept the licence of a model that forbids uses: before that it doesn't run."""
    catalogue, weights = opened()
    spec, who = catalogue[name], by or getpass.getuser()
    if withdraw:
        had = weights.acceptances.withdraw(spec, by=who)
        out().print(f"{name}: {'withdrawn' if had else 'nobody had accepted it'}")
        return
    if spec.license.is_restricted:
        _print_facts(spec.license)
    held, _ = weights.acceptances.accept(spec, by=who)
    out().print(f"{held.model}: accepted by {escape(held.accepted_by)} at {held.at}")


def _print_facts(license_: License) -> None:
    out().print(f"{license_.name}; gate at the publisher: {license_.gate}. It forbids:")
    for sentence in license_.forbids:
        out().print(f"  - {escape(sentence)}")
    if license_.note:
        out().print(f"  {escape(license_.note)}")
