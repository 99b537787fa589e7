"""Commands that are imported only when they run."""

# Why by name and not by import: three seconds of torch would otherwise come before every
# `--help`, and the thin client (`vision jobs`, `vision batch --server`) must also run where
# torch isn't installed. Every such name stands in an explicit table, and a test loads them all.

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from vision.cli import exits
from vision.cli.output import complain
from vision.cli.problems import UNPROCESSABLE, ServerRefused
from vision.errors import InvalidRequest, MissingDependency, UnknownModel, VisionError

OPTIONAL_LIBRARIES = {
    "torch": "vision-service[models]",
    "torchvision": "vision-service[models]",
    "segment_anything": "vision-service[models]",
    "safetensors": "vision-service[models]",
    "trackers": "vision-service[models]",
    "transformers": "vision-service[models]",
}
"""What to install when a library is missing: the client side works without them."""


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command that stands in the help before its module is imported."""

    target: str
    """module:function, or module:app for a Typer with commands of its own."""
    help: str
    """The first line of the function's docstring: a test compares them."""


class LazyGroup(TyperGroup):
    """Lists every command of `table`; imports the one that runs; ends errors in one sentence."""

    table: ClassVar[Mapping[str, LazyCommand]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, command in self.table.items():
            self.add_command(TyperCommand(name, help=command.help))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The real command in place of its line in the help."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        if name is None or name not in self.table:
            return name, placeholder, rest
        return name, as_command(name, load(self.table[name].target)), rest

    def invoke(self, ctx: Any) -> Any:
        """Errors raised on purpose become one sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except VisionError as error:
            complain(error)
            raise typer.Exit(_exit_code(error)) from error
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            complain(error)
            raise typer.Exit(exits.FAILED) from error


def load(target: str) -> Any:
    """What `module:name` names. Raises MissingDependency for an optional library."""
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        extra = OPTIONAL_LIBRARIES.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        sentence = f"{error.name} is not installed; install {extra} with {sys.executable} -m pip"
        raise MissingDependency(sentence) from error


def as_command(name: str, loaded: Any) -> Any:
    """A Typer's own command, from a Typer or from a plain function."""
    if isinstance(loaded, typer.Typer):
        return typer.main.get_command(loaded)
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(loaded)
    return typer.main.get_command(single)


def _exit_code(error: VisionError) -> int:
    if isinstance(error, ServerRefused):
        return exits.USAGE if error.status == UNPROCESSABLE else exits.FAILED
    return exits.USAGE if isinstance(error, InvalidRequest | UnknownModel) else exits.FAILED
