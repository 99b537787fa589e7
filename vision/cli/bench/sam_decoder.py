"""The mask decoder alone: upstream's against the folded one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor

from vision.cli.bench.measure import Figure, spent_in_turn
from vision.cli.bench.sam_answered import relative_error
from vision.cli.bench.sam_scene import Scene
from vision.cli.output import notes
from vision.errors import MissingDependency
from vision.models.folded_decoder import FoldedDecoder
from vision.models.folded_steps import require_compiler

CLICKS = 64
"""As many as upstream's generator asks at once."""
LARGEST_ERROR = {"cpu": 1e-5, "cuda": 1e-2}
"""Of float32, as a part of the largest logit; upstream's convolutions may compute in TF32 on a
GPU."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the folded decoder."""

    dtype: torch.dtype
    is_compiled: bool
    target: float | None = None
    """On a CPU."""

    def __str__(self) -> str:
        kind = "bfloat16" if self.dtype == torch.bfloat16 else "float32"
        return f"{kind}, {'compiled' if self.is_compiled else 'eager'}"


VARIANTS = (
    Variant(torch.float32, is_compiled=False, target=1.8),
    Variant(torch.float32, is_compiled=True, target=3.0),
    Variant(torch.bfloat16, is_compiled=False),
)
ON_GPU = (Variant(torch.bfloat16, is_compiled=True),)


def decoder(scene: Scene) -> Iterator[Figure]:
    """Raises ValueError where float32 says something else than upstream."""
    variants = _variants(scene)
    features = scene.features()
    sparse, dense = _prompts(scene)
    candidates: dict[str, Callable[[], Tensor]] = {
        "upstream": lambda: _upstream(scene, features, sparse, dense)
    }
    for variant in variants:
        candidates[str(variant)] = _folded(scene, variant, features, sparse)
    with scene.threads(1):
        said = {name: run() for name, run in candidates.items()}
        errors = {name: relative_error(low, said["upstream"]) for name, low in said.items()}
        spent = spent_in_turn(_waited(scene, candidates), rounds=scene.rounds)
    for variant in variants:
        name = str(variant)
        require_near(scene, errors[name], variant.dtype)
        yield scene.compared(
            f"folded decoder, {name}, off by {errors[name]:.1e} at most",
            ours=spent[name],
            reference="upstream's, float32, eager",
            theirs=spent["upstream"],
            target=None if scene.is_on_gpu else variant.target,
        )


def _variants(scene: Scene) -> list[Variant]:
    wanted = (*VARIANTS, *(ON_GPU if scene.is_on_gpu else ()))
    return list(wanted) if can_compile(scene) else [one for one in wanted if not one.is_compiled]


def can_compile(scene: Scene) -> bool:
    """Says so where nothing can be compiled."""
    try:
        require_compiler(torch.device(scene.device))
    except MissingDependency as error:
        notes().print(f"  compiled variants left out: {error}")
        return False
    return True


def require_near(scene: Scene, error: float, dtype: torch.dtype = torch.float32) -> None:
    """Raises ValueError for a float32 decoder that isn't upstream's but for rounding."""
    limit = LARGEST_ERROR[torch.device(scene.device).type]
    if dtype == torch.float32 and not error <= limit:
        raise ValueError(f"logits are off by {error:.1e}; the limit is {limit:.0e}")


def _prompts(scene: Scene) -> tuple[Tensor, Tensor]:
    """Sparse and dense embeddings of clicks."""
    size, network = scene.size, scene.network
    points = scene.grid[:CLICKS] * [size.width, size.height]
    resize = ResizeLongestSide(network.image_encoder.img_size)
    places = resize.apply_coords(points, (size.height, size.width))
    clicks = torch.as_tensor(places, dtype=torch.float, device=scene.device)[:, None]
    labels = torch.ones(clicks.shape[:2], dtype=torch.int, device=scene.device)
    sparse, dense = network.prompt_encoder(points=(clicks, labels), boxes=None, masks=None)
    return sparse, dense


@torch.inference_mode()
def _upstream(scene: Scene, features: Tensor, sparse: Tensor, dense: Tensor) -> Tensor:
    low: Tensor = scene.network.mask_decoder(
        image_embeddings=features,
        image_pe=scene.network.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=True,
    )[0]
    return low


def _folded(
    scene: Scene, variant: Variant, features: Tensor, sparse: Tensor
) -> Callable[[], Tensor]:
    """With what is computed once a picture, and all masks drawn."""
    folded = FoldedDecoder(scene.network, dtype=variant.dtype, is_compiled=variant.is_compiled)

    def decode() -> Tensor:
        return folded.decode(folded.image_side(features), sparse, several=True, min_iou=None).low

    return decode


def _waited(
    scene: Scene, candidates: dict[str, Callable[[], Tensor]]
) -> dict[str, Callable[[], None]]:
    def waited(run: Callable[[], Tensor]) -> Callable[[], None]:
        def run_and_wait() -> None:
            run()
            scene.wait()

        return run_and_wait

    return {name: waited(run) for name, run in candidates.items()}
