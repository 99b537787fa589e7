"""Each family of models through the product's interface, against upstream's bare loop.

On the weights that are here, else on seeded random ones of the published form; in float32 and in
bfloat16; each side at the number of pictures per pass that is best for it.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from vision.cli.bench.measure import Figure, at_least, interleaved
from vision.cli.bench.networks.contender import Contender, Loop
from vision.cli.bench.pictures import picture
from vision.cli.lazy import load
from vision.cli.output import notes
from vision.domain.image import ImageSize, RgbImage
from vision.engine.parts import models_dir
from vision.errors import MissingDependency
from vision.models.adding import add_model
from vision.models.batch_sizes import best_size
from vision.models.batching import IMAGES_ON_GPU
from vision.models.catalogue import Catalogue
from vision.models.device import choose_device
from vision.models.own_models import OWN_CATALOGUE
from vision.models.pool import ModelPool
from vision.models.weights import WeightsStore
from vision.settings import Settings

LIBRARIES = ("transformers_loops", "open_clip_loops", "torchvision_loops")
SIZE = ImageSize(width=640, height=480)
IMAGES = {"cuda": 4 * IMAGES_ON_GPU, "cpu": 4}
MOST_AT_ONCE = {"cuda": 128, "cpu": 4}
ROUNDS = 3
TARGET = 0.95
PRECISIONS = ("float32", "bfloat16")
RANDOM = "seeded"
"""The name under which random weights are added."""
SEED = 7


def run() -> list[Figure]:
    """One line per family and precision. Families whose packages aren't installed are left out."""
    return [_told(figure) for contender in _contenders() for figure in _figures(contender)]


def _told(figure: Figure) -> Figure:
    """At once: all of them take long, and who interrupts keeps what was measured."""
    notes().print(f"    {figure.name}: {figure.ours}, {figure.reference}; {figure.ratio:.2f}")
    return figure


def _contenders() -> Iterator[Contender]:
    for library in LIBRARIES:
        try:
            yield from load(f"vision.cli.bench.networks.{library}:CONTENDERS")
        except (MissingDependency, ModuleNotFoundError) as error:
            notes().print(f"left out: {error}")


def _figures(contender: Contender) -> Iterator[Figure]:
    settings = Settings()
    device = choose_device(settings.device)
    name = contender.on_cpu if device == "cpu" else contender.like
    notes().print(f"  {name} …")
    with tempfile.TemporaryDirectory() as folder:
        weights, model = _published(settings, name), name
        if weights is None:
            weights, model = _random(Path(folder), contender, name), RANDOM
        catalogue = Catalogue.load(weights.models_dir / OWN_CATALOGUE)
        for precision in PRECISIONS:
            pool = ModelPool(
                catalogue,
                weights,
                device=device,
                precision=precision,
                cpu_precision=precision,
                memory_bytes=settings.model_memory_bytes,
            )
            yield _figure(contender, name, pool, weights.verified(catalogue[model])[0], model)


def _published(settings: Settings, name: str) -> WeightsStore | None:
    """None unless the model's own weights are here and may be used."""
    weights = WeightsStore(models_dir(settings))
    spec = Catalogue()[name]
    may_run = weights.is_present(spec) and weights.acceptances.permits(spec)
    return weights if may_run else None


def _random(folder: Path, contender: Contender, name: str) -> WeightsStore:
    """A models folder with the network's random weights. They are nobody's: their licence too."""
    torch.manual_seed(SEED)
    theirs = folder / "theirs"
    theirs.mkdir()
    weights = WeightsStore(folder)
    spec = add_model(folder, RANDOM, like=name, file=contender.seed(theirs, name))
    if spec.license.is_restricted:
        weights.acceptances.accept(spec, by="vision bench, for random weights")
    return weights


def _figure(contender: Contender, name: str, pool: ModelPool, path: Path, model: str) -> Figure:
    placement = pool.placement
    ours = pool.get(model, contender.interface)
    bare = contender.upstream(path, name, placement)
    kind = torch.device(placement.device).type
    images = [picture(SIZE, seed=seed) for seed in range(IMAGES[kind])]
    batch = _best_batch(bare, images, most=MOST_AT_ONCE[kind])
    contender.ask(ours, images)  # finds its own number
    seconds = interleaved(
        {
            "ours": lambda: contender.ask(ours, images),
            "bare": lambda: _in_batches(bare, images, batch),
        },
        rounds=ROUNDS,
    )
    weights = "random weights" if model == RANDOM else "its weights"
    return at_least(
        f"{name}, {placement.precision}, {weights}",
        ours=f"{len(images) / seconds['ours']:.1f} images/s",
        reference=f"upstream's loop, {batch} at once: {len(images) / seconds['bare']:.1f} images/s",
        ratio=seconds["bare"] / seconds["ours"],
        target=TARGET,
    )


def _best_batch(loop: Loop, images: Sequence[RgbImage], *, most: int) -> int:
    return best_size(lambda size: loop(images[:size]), too_much=torch.OutOfMemoryError, most=most)


def _in_batches(loop: Loop, images: Sequence[RgbImage], batch: int) -> None:
    for start in range(0, len(images), batch):
        loop(images[start : start + batch])
