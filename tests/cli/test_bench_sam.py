"""`vision bench sam` on tiny networks: its figures come out, and wrong masks don't pass."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco
from seeded import tiny_sam
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.utils.amg import mask_to_rle_pytorch

from vision.cli.bench.sam import figures
from vision.cli.bench.sam_answered import as_detections, ours, upstream
from vision.cli.bench.sam_decoder import decoder
from vision.cli.bench.sam_fast_reference import FastGenerator, fast_network, run_lengths
from vision.cli.bench.sam_generation import against_published, without_encoder
from vision.cli.bench.sam_memory import peak_bytes
from vision.cli.bench.sam_post_processing import post_processing
from vision.cli.bench.sam_scene import Scene, blobs, give_positions
from vision.domain.detections import Detections
from vision.domain.image import ImageSize
from vision.models import everything
from vision.models.base import EverythingOptions
from vision.models.folded_decoder import Decoded, FoldedDecoder
from vision.models.mask_scan import Scans

SIZE = ImageSize(width=256, height=192)
LENIENT: dict[str, Any] = {
    "points_per_side": 5,
    "points_per_batch": 8,
    "pred_iou_thresh": 0.05,
    "stability_score_thresh": 0.3,
    "stability_score_offset": 0.01,
    "box_nms_thresh": 1.0,
    "crop_nms_thresh": 1.0,
}
"""Random weights trust nothing: upstream's thresholds would leave no mask."""
FAST_IOU = 0.999


def tiny_scene() -> Scene:
    network = tiny_sam().requires_grad_(False)
    give_positions(network)
    return Scene(
        network,
        "tiny",
        "cpu",
        EverythingOptions(points_per_side=4, points_per_batch=6),
        SIZE,
        ImageSize(width=200, height=120),
        rounds=1,
    )


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("CXX", "no-such-compiler")  # it would take most of the time
    return tiny_scene()


def test_every_figure_comes_out(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    found = list(figures(scene))

    subjects = [figure.name.removeprefix("SAM, ").partition(",")[0] for figure in found]
    assert subjects == [
        "post-processing to 256 × 192",
        "post-processing to 200 × 120",
        "folded decoder",
        "folded decoder",
        "exact",
        "fast",
        "exact",
        "fast",
    ]
    assert all(figure.ratio > 0 for figure in found)
    assert "no no-such-compiler on the PATH" in capsys.readouterr().err


@pytest.mark.slow
def test_compiled_variants_are_figures_too() -> None:
    names = [figure.name for figure in decoder(tiny_scene())]

    assert len(names) == 3
    assert "float32, compiled" in names[1]


def test_some_blobs_are_kept(scene: Scene) -> None:
    predicted_iou = blobs(scene.grid, SIZE, side=64).predicted_iou

    kept = (predicted_iou > scene.options.pred_iou_thresh).float().mean()

    assert 0.4 < kept < 0.8


@pytest.mark.parametrize(("is_encoded", "times"), [(True, 2), (False, 0)])
def test_the_encoder_runs_every_time_or_not_at_all(
    scene: Scene, is_encoded: bool, times: int
) -> None:
    calls: list[object] = []
    scene.network.image_encoder.register_forward_hook(lambda *call: calls.append(call))

    for way in (upstream(scene, is_encoded=is_encoded), ours(scene, "fast", is_encoded=is_encoded)):
        calls.clear()
        for _ in range(2):
            way.generate(scene.image(SIZE))
        assert len(calls) == times


def one_edge_on(scans: Scans) -> Scans:
    return replace(scans, edges=tuple(edges + 1 for edges in scans.edges))


def wider(scans: Scans) -> Scans:
    return replace(scans, boxes=scans.boxes + np.array([0, 0, 1, 0]))


def more_stable(scans: Scans) -> Scans:
    return replace(scans, stability=np.nextafter(scans.stability, np.float32(2)))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        pytest.param(one_edge_on, "masks", id="one pixel"),
        pytest.param(wider, "boxes", id="boxes"),
        pytest.param(more_stable, "stability_scores", id="the last bit of a number"),
    ],
)
@pytest.mark.parametrize(
    "measure",
    [
        pytest.param(lambda scene: [post_processing(scene, SIZE)], id="post-processing"),
        pytest.param(without_encoder, id="without encoder"),
    ],
)
def test_what_isnt_upstreams_is_not_measured(
    scene: Scene,
    measure: Callable[[Scene], Iterable[object]],
    spoil: Callable[[Scans], Scans],
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scanned = everything.scanned
    monkeypatch.setattr(everything, "scanned", lambda *some, **more: spoil(scanned(*some, **more)))

    with pytest.raises(ValueError, match=f"{what} differ"):
        list(measure(scene))


@pytest.mark.parametrize("measure", [decoder, without_encoder])
def test_a_decoder_that_says_something_else_is_not_measured(
    scene: Scene,
    measure: Callable[[Scene], Iterable[object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode = FoldedDecoder.decode

    def louder(*some: Any, **more: Any) -> Decoded:
        decoded = decode(*some, **more)
        return replace(decoded, low=decoded.low * 1.001)

    monkeypatch.setattr(FoldedDecoder, "decode", louder)

    with pytest.raises(ValueError, match="logits are off"):
        list(measure(scene))


@pytest.mark.parametrize("crops", [0, 1])
def test_the_reference_finds_upstreams_masks_in_float32(scene: Scene, crops: int) -> None:
    options = {**LENIENT, "crop_n_layers": crops, "output_mode": "coco_rle"}
    image = scene.image(SIZE)
    expected = as_detections(SamAutomaticMaskGenerator(scene.network, **options).generate(image))

    network = fast_network(scene.network, dtype=torch.float32, is_compiled=False)
    found = as_detections(FastGenerator(network, **options).generate(image))

    assert len(found) == len(expected) > 10
    assert worst_iou(found, expected) >= FAST_IOU


def worst_iou(found: Detections, expected: Detections) -> float:
    """Of each with the one that is most like it."""
    first, second = ([mask.to_json() for mask in some.masks or ()] for some in (found, expected))
    return float(coco.iou(first, second, [0] * len(second)).max(1).min())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_reference_is_compared_in_both_formats(scene: Scene, dtype: torch.dtype) -> None:
    figure = against_published(scene, dtype=dtype, is_compiled=False)

    assert figure.ratio > 0
    assert str(dtype).removeprefix("torch.") in figure.name


@pytest.mark.parametrize(
    "pixels",
    [
        pytest.param([], id="no mask"),
        pytest.param([[[0, 0], [0, 0], [0, 0]]], id="empty"),
        pytest.param([[[1, 1], [1, 1], [1, 1]]], id="full"),
        pytest.param([[[1, 0], [0, 0], [0, 1]], [[0, 0], [1, 0], [1, 1]]], id="first and last"),
    ],
)
def test_run_lengths_of_all_are_upstreams_of_each(pixels: list[Any]) -> None:
    masks = torch.tensor(pixels, dtype=torch.bool).reshape(-1, 3, 2)

    assert run_lengths(masks) == mask_to_rle_pytorch(masks)


@pytest.mark.slow
def test_each_way_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parents[1]}")

    peaks = [peak_bytes("test_bench_sam:tiny_scene", way) for way in ("fast", "upstream")]

    assert 0 < peaks[0] < peaks[1]
