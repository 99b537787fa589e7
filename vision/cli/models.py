"""`vision models`: what the catalogue knows, which weights are here, and how they get here."""

from pathlib import Path
from typing import Annotated, ClassVar

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from vision.cli.client import JsonOption
from vision.cli.configuration import read_settings
from vision.cli.lazy import LazyCommand, LazyGroup
from vision.cli.output import notes, out, print_json, print_table
from vision.engine.parts import models_dir
from vision.models.catalogue import Catalogue
from vision.models.own_models import OWN_CATALOGUE
from vision.models.spec import ModelSpec
from vision.models.weights import WeightsStore

MIB = 1024 * 1024


class ModelCommands(LazyGroup):
    """`add` builds the network to see whether the weights fit: only it needs torch."""

    table: ClassVar = {
        "add": LazyCommand(
            "vision.cli.models_add:add",
            "Register your own fine-tuned weights under a name of their own.",
        )
    }


app = typer.Typer(cls=ModelCommands, no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The model's name.")]


@app.command("list")
def list_models(*, as_json: JsonOption = False) -> None:
    """Every model that can be named in a pipeline."""
    catalogue, weights = _opened()
    if as_json:
        print_json({"items": [_summary(spec, weights) for spec in catalogue.specs]})
        return
    columns = ("model", "tasks", "MiB", "weights", "license")
    print_table(columns, [_row(spec, weights) for spec in catalogue.specs])


@app.command()
def show(name: NameArgument, *, as_json: JsonOption = False) -> None:
    """One model: what it is for, its limits, its labels and its weights."""
    catalogue, weights = _opened()
    card = _card(catalogue[name], weights)
    if as_json:
        print_json(card)
        return
    print_table(("field", "value"), [(field, _readable(value)) for field, value in card.items()])


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="One or more models.")],
) -> None:
    """Download weights: resumed where it stopped, verified by hash before they are used."""
    catalogue, weights = _opened()
    specs = [catalogue[name] for name in names]
    for spec in specs:
        _pull(spec, weights)


@app.command("import")
def import_weights(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="A local copy of the model's weights file.")],
) -> None:
    """Take a local copy of a listed model's weights, verified by hash."""
    catalogue, weights = _opened()
    _say_where(catalogue[name], weights.import_file(catalogue[name], file))


def _opened() -> tuple[Catalogue, WeightsStore]:
    folder = models_dir(read_settings())
    return Catalogue.load(folder / OWN_CATALOGUE), WeightsStore(folder)


def _pull(spec: ModelSpec, weights: WeightsStore) -> None:
    with _download_bar() as bar:
        task = bar.add_task(spec.name, total=spec.weights.size_bytes)
        place = weights.pull(
            spec, lambda here, total: bar.update(task, completed=here, total=total)
        )
    _say_where(spec, place)


def _say_where(spec: ModelSpec, place: Path) -> None:
    out().print(f"{spec.name}: verified, at {place}")


def _download_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=notes(),
        disable=not notes().is_terminal,
    )


def _row(spec: ModelSpec, weights: WeightsStore) -> tuple[object, ...]:
    size = spec.weights.size_bytes
    where = "here" if weights.is_present(spec) else "missing"
    mebibytes = None if size is None else f"{size / MIB:.1f}"
    license_name = spec.license.partition(" (")[0]
    return spec.name, ", ".join(sorted(spec.tasks)), mebibytes, where, license_name


def _summary(spec: ModelSpec, weights: WeightsStore) -> dict[str, object]:
    return {
        "name": spec.name,
        "family": spec.family,
        "tasks": sorted(spec.tasks),
        "license": spec.license,
        "weights": {
            "file": spec.weights.file,
            "size_bytes": spec.weights.size_bytes,
            "sha256": spec.weights.sha256,
            "is_present": weights.is_present(spec),
        },
    }


def _card(spec: ModelSpec, weights: WeightsStore) -> dict[str, object]:
    return _summary(spec, weights) | {
        "like": spec.like,
        "input": spec.input,
        "intended_use": spec.intended_use,
        "limits": spec.limits,
        "metrics": dict(spec.metrics),
        "everything_defaults": dict(spec.everything_defaults),
        "labels": list(spec.reportable_labels),
        "keypoint_names": list(spec.keypoint_names),
    }


def _readable(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key}: {part}" for key, part in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value or "")
