"""Models: which weights are here, how to get those that aren't, and which packages they want."""

from collections.abc import Iterator

from vision.cli.checks.finding import Finding, missing, ok, warn
from vision.engine.parts import models_dir
from vision.errors import OperatorError
from vision.models.catalogue import Catalogue
from vision.models.families import lacking_packages
from vision.models.own_models import OWN_CATALOGUE
from vision.models.weights import WeightsStore
from vision.pipelines.named import NAMED
from vision.pipelines.plan import models_of
from vision.settings import Settings


def weights(settings: Settings) -> Iterator[Finding]:
    """Those in the package, those of the named pipelines, and how many more there are."""
    folder = models_dir(settings)
    try:
        catalogue = Catalogue.load(folder / OWN_CATALOGUE)
    except OperatorError as error:
        yield missing("models", str(error), f"correct or remove {folder / OWN_CATALOGUE}")
        return
    store = WeightsStore(folder)
    present = [spec.name for spec in catalogue.specs if store.is_present(spec)]
    summary = f"{len(present)} of {len(catalogue.specs)} have weights: {', '.join(present)}"
    yield ok("models", summary)
    for spec in catalogue.specs:
        if spec.weights.shipped and spec.name not in present:
            advice = "it is part of the package: install the package again"
            yield missing(spec.name, "its weights file is gone", advice)
    yield from _extras(catalogue, frozenset(present))
    yield from _pipelines(catalogue, frozenset(present))


def _extras(catalogue: Catalogue, present: frozenset[str]) -> Iterator[Finding]:
    """Packages that some families want and not every worker has."""
    for extra in sorted({spec.extra for spec in catalogue.specs if spec.needs}):
        wanting = [spec for spec in catalogue.specs if spec.needs and spec.extra == extra]
        lacking = sorted({name for spec in wanting for name in lacking_packages(spec)})
        families = ", ".join(dict.fromkeys(spec.family for spec in wanting))
        name = f"extra {extra}"
        if not lacking:
            yield ok(name, f"installed, for {families}")
            continue
        advice = f"pip install 'vision-service[{extra}]'"
        detail = f"{' and '.join(lacking)} not installed, for {families}"
        stuck = [spec.name for spec in wanting if spec.name in present]
        if stuck:
            yield warn(name, f"{detail}; weights are here of {', '.join(stuck)}", advice)
        else:  # nobody needs a package for models that aren't here
            yield ok(name, f"{detail}; to run them: {advice}")


def _pipelines(catalogue: Catalogue, present: frozenset[str]) -> Iterator[Finding]:
    for pipeline in NAMED.values():
        absent = [name for name in models_of(pipeline.document) if name not in present]
        # A shipped file that is gone has its own line, and no command fetches it.
        to_pull = [name for name in absent if not catalogue[name].weights.shipped]
        if to_pull:
            commands = "; ".join(f"vision models pull {name}" for name in to_pull)
            detail = f"no weights here of {' and '.join(to_pull)}"
            yield warn(f"pipeline {pipeline.name}", detail, commands)
