"""`vision models`: what the catalogue knows, which weights are here, and how they get here."""

from typing import Annotated, ClassVar

import typer

from vision.cli.client import JsonOption
from vision.cli.configuration import read_settings
from vision.cli.lazy import LazyCommand, LazyGroup
from vision.cli.model_cards import COLUMNS, card, row, summary
from vision.cli.output import print_json, print_table
from vision.engine.parts import models_dir
from vision.models.catalogue import Catalogue
from vision.models.own_models import OWN_CATALOGUE
from vision.models.weights import WeightsStore


class ModelCommands(LazyGroup):
    """`add` builds the network to see whether the weights fit: only it needs torch. The client of
    the hub is slow to import as well.
    """

    table: ClassVar = {
        "pull": LazyCommand(
            "vision.cli.models_fetch:pull",
            "Download weights: resumed where it stopped, verified by hash before they are used.",
        ),
        "import": LazyCommand(
            "vision.cli.models_fetch:import_weights",
            "Take a local copy of a listed model's weights, verified by hash.",
        ),
        "add": LazyCommand(
            "vision.cli.models_add:add",
            "Register your own fine-tuned weights under a name of their own.",
        ),
        "accept": LazyCommand(
            "vision.cli.models_accept:accept",
            "Accept the licence of a model that forbids uses: before that it doesn't run.",
        ),
        "embed-text": LazyCommand(
            "vision.cli.models_embed_text:embed_text",
            "Print vectors of words as JSON, in the space of the model's vectors of pictures.",
        ),
    }


app = typer.Typer(cls=ModelCommands, no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The model's name.")]


@app.command("list")
def list_models(*, as_json: JsonOption = False) -> None:
    """Every model that can be named in a pipeline."""
    catalogue, weights = opened()
    if as_json:
        print_json({"items": [summary(spec, weights) for spec in catalogue.specs]})
        return
    print_table(COLUMNS, [row(spec, weights) for spec in catalogue.specs])


@app.command()
def show(name: NameArgument, *, as_json: JsonOption = False) -> None:
    """One model: what it is for, its limits, its licence, its labels and its weights."""
    catalogue, weights = opened()
    known = card(catalogue[name], weights)
    if as_json:
        print_json(known)
        return
    print_table(("field", "value"), [(field, _readable(value)) for field, value in known.items()])


def opened() -> tuple[Catalogue, WeightsStore]:
    """Of the models folder that the settings name."""
    folder = models_dir(read_settings())
    return Catalogue.load(folder / OWN_CATALOGUE), WeightsStore(folder)


def _readable(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_readable(part)}" for key, part in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value or "")
