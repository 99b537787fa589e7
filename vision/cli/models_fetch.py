"""`vision models pull` and `import`: weights come here, from afar or from a local copy."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from vision.cli.configuration import read_settings
from vision.cli.models import NameArgument
from vision.cli.output import notes, out
from vision.engine.parts import models_dir
from vision.models.catalogue import Catalogue
from vision.models.mirror import Mirror
from vision.models.own_models import OWN_CATALOGUE
from vision.models.pulls import Pulls
from vision.models.spec import ModelSpec
from vision.models.weights import WeightsStore
from vision.settings import Settings


def pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="One or more models.")],
    *,
    revision: Annotated[
        str | None,
        typer.Option(help="Of the hub's repository: another commit, branch or tag."),
    ] = None,
) -> None:
    """Download weights: resumed where it stopped, verified by hash before they are used."""
    catalogue, pulls = _opened(read_settings())
    specs = [catalogue[name] for name in names]
    for spec in specs:
        _pull(spec, pulls, revision)


def import_weights(
    name: NameArgument,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE_OR_FOLDER", help="A local copy of the model's weights file or folder."
        ),
    ],
) -> None:
    """Take a local copy of a listed model's weights, verified by hash."""
    catalogue, pulls = _opened(read_settings())
    spec = catalogue[name]
    _say_where(spec, pulls.take(spec, source), pulls)


def _opened(settings: Settings) -> tuple[Catalogue, Pulls]:
    folder = models_dir(settings)
    mirror = Mirror.open(settings.models_mirror) if settings.models_mirror else None
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    pulls = Pulls(WeightsStore(folder), mirror=mirror, token=token or None)
    return Catalogue.load(folder / OWN_CATALOGUE), pulls


def _pull(spec: ModelSpec, pulls: Pulls, revision: str | None) -> None:
    with _download_bar() as bar:
        task = bar.add_task(spec.name, total=spec.weights.size_bytes)
        place = pulls.pull(
            spec,
            lambda here, total: bar.update(task, completed=here, total=total),
            revision=revision,
        )
    _say_where(spec, place, pulls)


def _say_where(spec: ModelSpec, place: Path, pulls: Pulls) -> None:
    out().print(f"{spec.name}: verified, at {place}")
    if not pulls.store.acceptances.permits(spec):
        out().print(
            f"{spec.name}: its licence, {spec.license.name}, forbids uses; it runs after "
            f"`vision models accept {spec.name}`"
        )


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
