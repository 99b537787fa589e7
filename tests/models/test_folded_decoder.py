"""The folded decoder says what upstream's own decoder says on the same weights."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache

import pytest
import torch
from safetensors.torch import load_file
from seeded import as_pixels, picture, tiny_sam
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import Tensor, nn

from vision.errors import MissingDependency
from vision.models.catalogue import SHIPPED
from vision.models.demo_networks import build_demo_sam
from vision.models.folded_decoder import Decoded, FoldedDecoder

MASK_ERROR = 1e-5
"""Of float32, relative to the largest logit. Measured: 1.7e-6 at most."""
IOU_ERROR = 1e-5
"""Of float32, as it is. Measured: 1.2e-6 at most."""
BFLOAT16_FLIPS = 0.01
"""Share of mask pixels on the other side of 0. Measured: at most 0.0049, of vit_b 0.0041.

Eight bits leave logits near 0 undecided. Upstream under autocast flips as many: 0.0035 and 0.0037.
"""
BFLOAT16_IOU_ERROR = 0.03
"""As it is. Measured: 0.012 at most."""


@cache
def vit_b_sized() -> Sam:
    """The decoder of sam_vit_*, behind no image encoder."""
    return _spread(_network(256, heads=8, mlp_dim=2048, grid=(64, 64), depth=2))


@cache
def oblong() -> Sam:
    """Three layers, and as many cells as no power of two has, in no square."""
    return _spread(_network(32, heads=2, mlp_dim=48, grid=(6, 10), depth=3))


@cache
def tiny() -> Sam:
    return _spread(tiny_sam())


@cache
def demo() -> Sam:
    network = build_demo_sam().eval()
    network.load_state_dict(load_file(SHIPPED / "demo_sam.safetensors"))
    return network.requires_grad_(False)


def _network(channels: int, *, heads: int, mlp_dim: int, grid: tuple[int, int], depth: int) -> Sam:
    torch.manual_seed(7)
    transformer = TwoWayTransformer(
        depth=depth, embedding_dim=channels, num_heads=heads, mlp_dim=mlp_dim
    )
    return Sam(
        image_encoder=nn.Identity(),
        prompt_encoder=PromptEncoder(
            embed_dim=channels,
            image_embedding_size=grid,
            input_image_size=(16 * grid[0], 16 * grid[1]),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            transformer_dim=channels, transformer=transformer, iou_head_hidden_dim=channels
        ),
    ).eval()


def _spread(network: Sam) -> Sam:
    """As upstream starts, every prompt says nearly the same, and norms and biases do nothing."""
    torch.manual_seed(8)
    for part in (network.prompt_encoder, network.mask_decoder):
        for module in part.modules():
            _spread_module(module)
    return network.requires_grad_(False)


def _spread_module(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight)
    if type(module).__name__.startswith("LayerNorm"):
        nn.init.uniform_(module.weight, 0.5, 1.5)
    if isinstance(bias := getattr(module, "bias", None), Tensor):
        nn.init.normal_(bias, std=0.3)


NETWORKS: dict[str, Callable[[], Sam]] = {
    "vit_b": vit_b_sized,
    "demo": demo,
    "tiny": tiny,
    "oblong": oblong,
}


def embedding(network: Sam) -> Tensor:
    """What the image encoder says of a picture, or might say."""
    if isinstance(network.image_encoder, nn.Identity):
        torch.manual_seed(9)
        channels = network.mask_decoder.transformer_dim
        return torch.randn(1, channels, *network.prompt_encoder.image_embedding_size) / 2
    side = network.image_encoder.img_size
    pixels = network.preprocess(255 * as_pixels(picture(side, side)))
    features: Tensor = network.image_encoder(pixels[None])
    return features


def clicks(network: Sam, count: int, *, each: int = 1) -> Tensor:
    """Embeddings of `count` prompts of `each` clicks, the first on and the second beside."""
    torch.manual_seed(10)
    points = torch.rand(count, each, 2) * _extent(network)
    labels = torch.arange(1, each + 1).remainder(2).expand(count, each)
    return _sparse(network, points=(points, labels))


def boxes(network: Sam, count: int) -> Tensor:
    torch.manual_seed(11)
    corners = (torch.rand(count, 2, 2) * _extent(network)).sort(1).values
    return _sparse(network, boxes=corners.flatten(1))


def _extent(network: Sam) -> Tensor:
    height, width = network.prompt_encoder.input_image_size
    return torch.tensor([width, height])


def _sparse(
    network: Sam,
    *,
    points: tuple[Tensor, Tensor] | None = None,
    boxes: Tensor | None = None,
) -> Tensor:
    sparse: Tensor = network.prompt_encoder(points=points, boxes=boxes, masks=None)[0]
    return sparse


PROMPTS: dict[str, Callable[[Sam], Tensor]] = {
    "one click each": lambda network: clicks(network, 3),
    "clicks": lambda network: clicks(network, 3, each=4),
    "boxes": lambda network: boxes(network, 3),
    "one prompt": lambda network: clicks(network, 1),
}


def upstream(network: Sam, sparse: Tensor, *, several: bool) -> tuple[Tensor, Tensor]:
    no_mask = network.prompt_encoder.no_mask_embed.weight[..., None, None]
    masks, predicted_iou = network.mask_decoder(
        image_embeddings=embedding(network),
        image_pe=network.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=no_mask,
        multimask_output=several,
    )
    return masks, predicted_iou


def folded(
    decoder: FoldedDecoder,
    network: Sam,
    sparse: Tensor,
    *,
    several: bool = True,
    min_iou: float | None = None,
) -> Decoded:
    image = decoder.image_side(embedding(network))
    return decoder.decode(image, sparse, several=several, min_iou=min_iou)


def mask_error(found: Tensor, expected: Tensor) -> float:
    """Relative to the largest logit."""
    return _error(found, expected) / float(expected.abs().max())


def iou_error(found: Tensor, expected: Tensor) -> float:
    return _error(found, expected)


def _error(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype == torch.float32
    return float((found - expected).abs().max())


def flips(found: Tensor, expected: Tensor) -> float:
    """Share of pixels that are in one mask and not in the other."""
    return float(((found > 0) != (expected > 0)).float().mean())


@pytest.mark.parametrize("several", [True, False], ids=["several", "single"])
@pytest.mark.parametrize("prompts", PROMPTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_masks_and_iou_are_those_of_upstream(name: str, prompts: str, several: bool) -> None:
    network = NETWORKS[name]()
    sparse = PROMPTS[prompts](network)

    found = folded(FoldedDecoder(network), network, sparse, several=several)

    masks, predicted_iou = upstream(network, sparse, several=several)
    assert mask_error(found.low, masks) <= MASK_ERROR
    assert iou_error(found.predicted_iou, predicted_iou) <= IOU_ERROR
    assert found.prompts.tolist() == list(range(len(sparse)))


@pytest.mark.parametrize("name", NETWORKS)
def test_prompts_of_these_networks_differ(name: str) -> None:
    """Else a decoder that confuses them would pass."""
    network = NETWORKS[name]()
    masks, predicted_iou = upstream(network, clicks(network, 3), several=True)

    assert masks.std(0).max() > 0.1 * masks.std()
    assert predicted_iou.std(0).max() > 0.01


@pytest.mark.parametrize(
    ("name", "count"),
    [
        pytest.param("vit_b", 9, id="cells of one prompt at a time"),
        pytest.param("tiny", 70, id="cells of many prompts together"),
    ],
)
def test_more_prompts_than_go_together_are_answered_in_order(name: str, count: int) -> None:
    network = NETWORKS[name]()
    sparse = clicks(network, count)

    found = folded(FoldedDecoder(network), network, sparse)

    masks, predicted_iou = upstream(network, sparse, several=True)
    assert mask_error(found.low, masks) <= MASK_ERROR
    assert iou_error(found.predicted_iou, predicted_iou) <= IOU_ERROR
    assert found.prompts.tolist() == list(range(count))


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_turns_few_pixels(name: str) -> None:
    network = NETWORKS[name]()
    sparse = clicks(network, 3)

    found = folded(FoldedDecoder(network, dtype=torch.bfloat16), network, sparse)

    masks, predicted_iou = upstream(network, sparse, several=True)
    assert 0 < flips(found.low, masks) <= BFLOAT16_FLIPS
    assert iou_error(found.predicted_iou, predicted_iou) <= BFLOAT16_IOU_ERROR


@pytest.mark.parametrize(
    ("name", "count"),
    [
        pytest.param("vit_b", 10, id="cells of one prompt at a time"),
        pytest.param("tiny", 70, id="cells of many prompts together"),
    ],
)
@pytest.mark.parametrize("several", [True, False], ids=["several", "single"])
def test_prompts_without_a_trusted_mask_are_left_out(name: str, count: int, several: bool) -> None:
    network = NETWORKS[name]()
    decoder, sparse = FoldedDecoder(network), clicks(network, count)
    everything = folded(decoder, network, sparse, several=several)
    best = everything.predicted_iou.amax(1)
    limit = float(best.median())  # the best of one prompt, which therefore goes

    found = folded(decoder, network, sparse, several=several, min_iou=limit)

    kept = [number for number, iou in enumerate(best.tolist()) if iou > limit]
    assert 0 < len(kept) < count
    assert found.prompts.tolist() == kept
    assert torch.equal(found.predicted_iou, everything.predicted_iou)
    torch.testing.assert_close(found.low, everything.low[kept], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("min_iou", "kept"),
    [
        pytest.param(-100.0, [0, 1, 2], id="all are trusted"),
        pytest.param(100.0, [], id="none is trusted"),
    ],
)
def test_limits_may_keep_all_or_none(min_iou: float, kept: list[int]) -> None:
    network = tiny()

    found = folded(FoldedDecoder(network), network, clicks(network, 3), min_iou=min_iou)

    assert found.prompts.tolist() == kept
    assert found.prompts.dtype == torch.int64
    assert found.low.shape == (len(kept), 3, 64, 64)
    assert found.low.dtype == torch.float32
    assert found.predicted_iou.shape == (3, 3)


@pytest.mark.parametrize(("several", "masks"), [(True, 3), (False, 1)])
def test_no_prompts_give_no_masks(several: bool, masks: int) -> None:
    network = oblong()
    none = torch.empty(0, 2, network.mask_decoder.transformer_dim)

    found = folded(FoldedDecoder(network), network, none, several=several, min_iou=0.5)

    assert found.low.shape == (0, masks, 24, 40)
    assert found.predicted_iou.shape == (0, masks)
    assert (found.prompts.shape, found.prompts.dtype) == ((0,), torch.int64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_network_and_the_decoder_are_independent(dtype: torch.dtype) -> None:
    network = deepcopy(tiny())
    decoder = FoldedDecoder(network, dtype=dtype)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    sparse, features = clicks(network, 3), embedding(network)
    image = decoder.image_side(features)
    expected = decoder.decode(image, sparse, several=True, min_iou=None)

    unchanged = network.state_dict()
    assert all(torch.equal(unchanged[name], values) for name, values in before.items())
    for values in network.state_dict().values():
        values.zero_()

    image = decoder.image_side(features)
    found = decoder.decode(image, sparse, several=True, min_iou=None)
    assert torch.equal(found.low, expected.low)
    assert torch.equal(found.predicted_iou, expected.predicted_iou)


def test_an_image_side_serves_prompts_again() -> None:
    network = vit_b_sized()
    decoder, sparse = FoldedDecoder(network), clicks(network, 2)
    image = decoder.image_side(embedding(network))

    first = decoder.decode(image, sparse, several=True, min_iou=None)
    decoder.decode(image, boxes(network, 2), several=False, min_iou=None)
    again = decoder.decode(image, sparse, several=True, min_iou=None)

    assert torch.equal(first.low, again.low)


@pytest.mark.parametrize(
    ("compiler", "missing"),
    [(None, r"no (g|clang)\+\+ on the PATH"), ("icpx -w", "no icpx on the PATH")],
    ids=["the usual", "a chosen one"],
)
def test_compiling_without_a_compiler_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, compiler: str | None, missing: str
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    if compiler:
        monkeypatch.setenv("CXX", compiler)

    with pytest.raises(MissingDependency, match=missing):
        FoldedDecoder(tiny(), is_compiled=True)


@pytest.mark.slow
@pytest.mark.parametrize("several", [True, False], ids=["several", "single"])
@pytest.mark.parametrize("name", ["vit_b", "demo"])
def test_compiled_it_says_the_same(name: str, several: bool) -> None:
    network = NETWORKS[name]()
    plain, compiled = FoldedDecoder(network), FoldedDecoder(network, is_compiled=True)

    for sparse in (clicks(network, 1), boxes(network, 11), clicks(network, 2, each=3)):
        found = folded(compiled, network, sparse, several=several)
        expected = folded(plain, network, sparse, several=several)
        assert mask_error(found.low, expected.low) <= MASK_ERROR
        assert iou_error(found.predicted_iou, expected.predicted_iou) <= IOU_ERROR


@pytest.mark.slow
def test_compiled_in_bfloat16_it_turns_few_pixels() -> None:
    network = vit_b_sized()
    decoder = FoldedDecoder(network, dtype=torch.bfloat16, is_compiled=True)
    sparse = clicks(network, 3)

    found = folded(decoder, network, sparse)

    masks, predicted_iou = upstream(network, sparse, several=True)
    assert 0 < flips(found.low, masks) <= BFLOAT16_FLIPS
    assert iou_error(found.predicted_iou, predicted_iou) <= BFLOAT16_IOU_ERROR


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_b", "demo"])
def test_another_number_of_prompts_or_masks_compiles_nothing_again(name: str) -> None:
    network = NETWORKS[name]()
    decoder, sparse = FoldedDecoder(network, is_compiled=True), clicks(network, 40)
    image = decoder.image_side(embedding(network))
    everything = decoder.decode(image, sparse, several=True, min_iou=None)
    limit = float(everything.predicted_iou.amax(1).median())
    for count in (1, 8):
        decoder.decode(image, sparse[:count], several=True, min_iou=None)

    with torch._dynamo.config.patch(error_on_recompile=True):
        for count in (2, 5, 11, 33):
            found = decoder.decode(image, sparse[:count], several=True, min_iou=limit)

    assert 0 < len(found.prompts) < 33
    expected = everything.low[found.prompts]
    assert mask_error(found.low, expected) <= MASK_ERROR
