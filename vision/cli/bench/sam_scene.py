"""What `vision bench sam` measures on: a network, pictures, and answers worth keeping.

Random weights trust none of their masks, and a picture made of noise has no objects. So what the
decoders said is thrown away once they have said it, and everything after them gets blobs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from segment_anything import sam_model_registry
from segment_anything.modeling import Sam
from segment_anything.utils.amg import build_point_grid
from torch import Tensor
from torch.nn import functional

from vision.cli.bench.measure import Figure, Spent, at_least
from vision.cli.bench.pictures import picture
from vision.domain.image import ImageSize, RgbImage
from vision.engine.parts import models_dir
from vision.models.base import EverythingOptions
from vision.models.catalogue import listed_specs
from vision.models.device import Placement, choose_device
from vision.models.everything import Points
from vision.models.state import load_state, read_state
from vision.models.weights import WeightsStore
from vision.settings import Settings

LISTED = "sam_vit_b"
BUILDER = "vit_b"
SIZE = ImageSize(width=1024, height=768)
"""As wide as the network's square: its masks are enlarged once."""
OTHER_SIZE = ImageSize(width=1280, height=720)
"""Its masks are enlarged to the square, and then once more."""
POINTS_PER_SIDE = {"cpu": 8, "cuda": 32}
ROUNDS = {"cpu": 3, "cuda": 5}
SEED = 7
FEATURE_DEVIATION = 0.5
POSITION_DEVIATION = 0.02
"""Upstream begins relative positions with zeros, which would make nothing of that arithmetic."""

OBJECTS = 60
SMALLEST, LARGEST = 1 / 64, 1 / 4
"""Radii of blobs, as a part of the square."""
STEEPNESS = 10.0
"""By how much logits rise a small pixel, near the edge of a blob."""
RUFFLES, RUFFLE_CELLS, RUFFLE_HEIGHT = 64, 24, 4.0
"""Smooth noise on them, so that edges aren't ellipses and two clicks on one blob differ."""
TRUST, TRUST_SPREAD, TRUST_NOISE = 0.84, 0.16, 0.03
"""Predicted IoU: about six in ten are above upstream's threshold."""
MASKS_PER_CLICK = 3


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """To n clicks, in the order of the grid."""

    low: Tensor
    """(n, 3, side, side) mask logits."""
    predicted_iou: Tensor
    """(n, 3)"""

    def to(self, kind: torch.dtype | str) -> "Answers":
        """As another number format, or on another device."""
        return Answers(self.low.to(kind), self.predicted_iou.to(kind))


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One network, and what it is asked."""

    network: Sam
    weights: str
    """What to call them in a report."""
    device: str
    options: EverythingOptions
    size: ImageSize
    other_size: ImageSize
    rounds: int

    @property
    def is_on_gpu(self) -> bool:
        return torch.device(self.device).type == "cuda"

    @property
    def grid(self) -> Points:
        """Where upstream clicks, in [0, 1]."""
        points: Points = build_point_grid(self.options.points_per_side)
        return points

    @property
    def setting(self) -> str:
        """What a figure's name says beside what was measured."""
        clicks = len(self.grid)
        return f"{clicks} clicks, {self.weights}, {'GPU' if self.is_on_gpu else '1 thread'}"

    def image(self, size: ImageSize) -> RgbImage:
        return picture(size, seed=SEED)

    def features(self) -> Tensor:
        """What an image encoder might say: (1, channels, rows, columns) float32."""
        encoder = self.network.prompt_encoder
        shape = (1, encoder.embed_dim, *encoder.image_embedding_size)
        random = torch.Generator().manual_seed(SEED)
        features = torch.randn(shape, generator=random) * FEATURE_DEVIATION
        return features.to(self.device)

    def answers(self, size: ImageSize) -> Answers:
        """To the clicks of the grid on a picture of that size."""
        side = self.network.prompt_encoder.mask_input_size[0]
        return _answers(self.options.points_per_side, size, side=side, device=self.device)

    def wait(self) -> None:
        """Until a GPU has done what it was asked."""
        Placement(self.device, "float32").wait()

    def seconds(self, spent: Spent) -> float:
        """Those that count: of the processor, or by the clock where a GPU works."""
        return spent.wall_seconds if self.is_on_gpu else spent.cpu_seconds

    def compared(
        self, what: str, *, ours: Spent, reference: str, theirs: Spent, target: float | None = None
    ) -> Figure:
        """How much longer the reference took. Without a target, none is set."""
        unit = "s" if self.is_on_gpu else "s of CPU"
        mine, other = self.seconds(ours), self.seconds(theirs)
        name, ratio = self.name(what), other / mine
        told, reference = f"{mine:.3g} {unit}", f"{reference}: {other:.3g} {unit}"
        if target is None:
            return Figure(name, told, reference, ratio, "")
        return at_least(name, ours=told, reference=reference, ratio=ratio, target=target)

    def name(self, what: str) -> str:
        """Of a figure."""
        return f"SAM, {what}: {self.setting}"

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """So many for torch; as many as ever beside a GPU."""
        before = torch.get_num_threads()
        torch.set_num_threads(before if self.is_on_gpu else count)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def scene() -> Scene:
    """Of this machine: vit_b with its weights where they are here, else with random ones."""
    device = choose_device(Settings().device)
    kind = torch.device(device).type
    network, weights = _network()
    return Scene(
        network.to(device).eval().requires_grad_(False),
        weights,
        device,
        EverythingOptions(points_per_side=POINTS_PER_SIDE[kind]),
        SIZE,
        OTHER_SIZE,
        ROUNDS[kind],
    )


def _network() -> tuple[Sam, str]:
    spec, store = listed_specs()[LISTED], WeightsStore(models_dir(Settings()))
    torch.manual_seed(SEED)
    network = sam_model_registry[BUILDER](checkpoint=None)
    if store.is_present(spec) and store.acceptances.permits(spec):
        load_state(network, read_state(store.verified(spec)[0]), what=LISTED)
        return network, LISTED
    give_positions(network)
    return network, f"random weights of {LISTED}'s size"


@torch.no_grad()
def give_positions(network: Sam) -> None:
    """Random values for the relative positions of an encoder with random weights."""
    for block in network.image_encoder.blocks:
        block.attn.rel_pos_h.normal_(0, POSITION_DEVIATION)
        block.attn.rel_pos_w.normal_(0, POSITION_DEVIATION)


@lru_cache(maxsize=2)
def _answers(points_per_side: int, size: ImageSize, *, side: int, device: str) -> Answers:
    """Once for all who get them: on a GPU's grid they are 0.8 GB."""
    return blobs(build_point_grid(points_per_side), size, side=side).to(device)


def blobs(grid: Points, size: ImageSize, *, side: int) -> Answers:
    """To clicks at (n, 2) places in [0, 1]: the three blobs nearest to each, always the same."""
    random = torch.Generator().manual_seed(SEED)
    shown = torch.tensor([size.width, size.height]) * (side / max(size.width, size.height))
    centers = torch.rand(OBJECTS, 2, generator=random) * shown
    shares = torch.rand(OBJECTS, 2, generator=random) ** 2
    radii = side * (SMALLEST + (LARGEST - SMALLEST) * shares)
    trust = TRUST + TRUST_SPREAD * torch.rand(OBJECTS, generator=random)
    clicks = torch.from_numpy(grid).float() * shown
    nearest = _distances(clicks, centers, radii).argsort(1)[:, :MASKS_PER_CLICK]
    noise = TRUST_NOISE * torch.randn(nearest.shape, generator=random)
    ruffles = _ruffles(side, random)
    chosen = torch.randint(RUFFLES, nearest.shape, generator=random)
    return Answers(_blobs(centers, radii, side)[nearest] + ruffles[chosen], trust[nearest] + noise)


def _distances(places: Tensor, centers: Tensor, radii: Tensor) -> Tensor:
    """(n, objects) of (n, 2): 1 on the ellipse itself."""
    distances: Tensor = torch.linalg.vector_norm((places[:, None] - centers) / radii, dim=2)
    return distances


def _blobs(centers: Tensor, radii: Tensor, side: int) -> Tensor:
    """(objects, side, side) logits."""
    middles = torch.arange(side) + 0.5
    rows, columns = torch.meshgrid(middles, middles, indexing="ij")
    places = torch.stack([columns, rows], 2).reshape(-1, 2)
    heights = (1 - _distances(places, centers, radii)) * radii.amin(1) * STEEPNESS
    return heights.T.reshape(-1, side, side)


def _ruffles(side: int, random: torch.Generator) -> Tensor:
    coarse = torch.randn(RUFFLES, 1, RUFFLE_CELLS, RUFFLE_CELLS, generator=random)
    return RUFFLE_HEIGHT * functional.interpolate(coarse, (side, side), mode="bicubic")[:, 0]
