"""Each family of transformers, a user's own model of it, asked by REST: upstream's answer."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from clips import clip
from loaded_sams import listed_like, tiny_folder
from own_models_asked import add_own, frames_of, results
from PIL import Image
from seeded import picture
from serving import Served, serving, settings_in
from tiny_embedders import save_dino, upstream_vectors
from tiny_queries import save_detr, save_mask2former
from transformers import (
    DetrForObjectDetection,
    DetrImageProcessor,
    EdgeTamModel,
    Mask2FormerForUniversalSegmentation,
    Mask2FormerImageProcessor,
    Sam2Model,
    Sam2Processor,
    Sam3LiteTextModel,
    Sam3Model,
    Sam3Processor,
    Sam3TrackerModel,
    Sam3TrackerProcessor,
    VJEPA2ForVideoClassification,
    VJEPA2VideoProcessor,
)
from vjepa2_clips import inputs_of, save_vjepa2

from vision.domain.mask import RleMask

HEIGHT, WIDTH = 90, 130
IMAGE = picture(HEIGHT, WIDTH, seed=3)
BOXES = [[10.0, 20.0, 90.0, 80.0], [40.5, 3.0, 120.0, 70.25]]
TARGET = [(HEIGHT, WIDTH)]
NO_CLASS = 0
"""Of the two detectors."""


class Row(NamedTuple):
    """What is compared of one thing that was found."""

    class_id: int
    score: float
    mask: RleMask | None


def png() -> bytes:
    file = BytesIO()
    Image.fromarray(IMAGE).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Path]]:
    """What each model is like, and where it was saved."""
    made = tmp_path_factory.mktemp("made")
    sams = ("sam2", "edgetam", "sam3", "sam3_litetext")
    return {
        **{name: (listed_like(name).name, tiny_folder(name)) for name in sams},
        "detr": ("detr_resnet_50", save_detr(made / "detr")),
        "mask2former": ("mask2former_tiny_coco_instance", save_mask2former(made / "mask2former")),
        "dinov2": ("dinov2_small", save_dino(made / "dinov2", "dinov2_small")),
        "dinov3": ("dinov3_vits16", save_dino(made / "dinov3", "dinov3_vits16")),
        "vjepa2": ("vjepa2_vitl_ssv2", save_vjepa2(made / "vjepa2")),
    }


@pytest.fixture(scope="module")
def served(
    folders: dict[str, tuple[str, Path]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with serving(settings_in(tmp_path_factory.mktemp("data"), device="cpu")) as service:
        for name, (like, place) in folders.items():
            add_own(service, f"my-{name}", like=like, place=place)
        yield service


def detections(served: Served, stage: dict[str, Any]) -> list[Row]:
    rows = results(served, stage, "detections?include=mask", file=png())
    return [
        Row(
            row["class_id"],
            row["predicted_iou"] if row["score"] is None else row["score"],
            None if row["mask"] is None else RleMask.from_json(row["mask"]),
        )
        for row in rows
    ]


def assert_same(found: list[Row], expected: list[Row]) -> None:
    """Masks and classes exactly; numbers up to their last decimals (upstream rounds some)."""
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert (one.class_id, one.mask) == (other.class_id, other.mask)
        assert one.score == pytest.approx(other.score, abs=2e-6)


def upstream_detr(folder: Path) -> list[Row]:
    network, processor = _both(DetrForObjectDetection, DetrImageProcessor, folder)
    (found,) = processor.post_process_object_detection(
        network(**_pixels(processor)), threshold=0.5, target_sizes=TARGET
    )
    rows = zip(found["labels"].tolist(), found["scores"].tolist(), strict=True)
    return _best_first([Row(label, score, None) for label, score in rows if label != NO_CLASS])


def upstream_mask2former(folder: Path) -> list[Row]:
    network, processor = _both(
        Mask2FormerForUniversalSegmentation, Mask2FormerImageProcessor, folder
    )
    (found,) = processor.post_process_instance_segmentation(
        network(**_pixels(processor)), threshold=0.5, target_sizes=TARGET, return_binary_maps=True
    )
    pairs = zip(found["segments_info"], found["segmentation"] > 0, strict=True)
    return _best_first(
        [
            Row(one["label_id"], one["score"], RleMask.from_bitmap(bitmap.numpy()))
            for one, bitmap in pairs
            if one["label_id"] != NO_CLASS
        ]
    )


@pytest.mark.parametrize(
    ("name", "upstream"), [("detr", upstream_detr), ("mask2former", upstream_mask2former)]
)
def test_detectors(
    served: Served,
    folders: dict[str, tuple[str, Path]],
    name: str,
    upstream: Callable[[Path], list[Row]],
) -> None:
    found = detections(served, {"detect": {"model": f"my-{name}", "min_score": 0.5}})

    assert_same(found, upstream(folders[name][1]))


@pytest.mark.parametrize(
    ("name", "network_class", "processor_class"),
    [
        ("sam2", Sam2Model, Sam2Processor),
        ("edgetam", EdgeTamModel, Sam2Processor),
        ("sam3", Sam3TrackerModel, Sam3TrackerProcessor),
    ],
)
def test_pointed_at(served: Served, name: str, network_class: Any, processor_class: Any) -> None:
    network, processor = _both(network_class, processor_class, tiny_folder(name))
    inputs = processor(images=Image.fromarray(IMAGE), input_boxes=[BOXES], return_tensors="pt")
    answer = network(**inputs, multimask_output=False)
    (masks,) = processor.post_process_masks(answer.pred_masks, inputs["original_sizes"])
    expected = [
        Row(0, float(score), RleMask.from_bitmap(mask.numpy()))
        for score, mask in zip(answer.iou_scores[0, :, 0], masks[:, 0], strict=True)
    ]

    stage = {"segment": {"model": f"my-{name}", "prompt": {"boxes": BOXES}}}
    assert_same(detections(served, stage), expected)


@pytest.mark.parametrize(
    ("name", "network_class"), [("sam3", Sam3Model), ("sam3_litetext", Sam3LiteTextModel)]
)
def test_named(served: Served, name: str, network_class: Any) -> None:
    network, processor = _both(network_class, Sam3Processor, tiny_folder(name))
    inputs = processor(images=Image.fromarray(IMAGE), text="dog", return_tensors="pt")
    (found,) = processor.post_process_instance_segmentation(
        network(**inputs), threshold=0.0, target_sizes=TARGET
    )
    masks = RleMask.from_bitmaps(found["masks"].bool().numpy())
    pairs = zip(found["scores"].tolist(), masks, strict=True)
    expected = _best_first([Row(0, score, mask) for score, mask in pairs])

    prompt = {"text": ["dog"], "min_score": 0.0}
    assert_same(
        detections(served, {"segment": {"model": f"my-{name}", "prompt": prompt}}), expected
    )


@pytest.mark.parametrize(
    ("name", "like"), [("dinov2", "dinov2_small"), ("dinov3", "dinov3_vits16")]
)
def test_embedders(
    served: Served, folders: dict[str, tuple[str, Path]], name: str, like: str
) -> None:
    (row,) = results(served, {"embed": {"model": f"my-{name}"}}, "embeddings", file=png())

    expected = upstream_vectors(folders[name][1], like, [IMAGE])[0]
    np.testing.assert_allclose(row["vector"], expected, atol=2e-6)
    assert np.linalg.norm(row["vector"]) == pytest.approx(1, abs=1e-6)
    assert row["model"] == f"my-{name}"


def test_actions(served: Served, folders: dict[str, tuple[str, Path]]) -> None:
    stage = {"classify": {"model": "my-vjepa2", "top": 2}}
    rows = results(served, stage, "classifications", file=clip(seconds=1))

    network, processor = _both(
        VJEPA2ForVideoClassification, VJEPA2VideoProcessor, folders["vjepa2"][1]
    )
    frames = [frame.image.copy() for frame in frames_of(served, clip(seconds=1))]
    shown = frames[: network.config.frames_per_clip]
    scores = network(**inputs_of(processor, shown)).logits.softmax(1)[0].numpy()
    best = np.argsort(-scores, kind="stable")[:2]
    of_first = [row for row in rows if row["first_frame"] == 0]
    assert [row["class_id"] for row in of_first] == best.tolist()
    np.testing.assert_allclose([row["score"] for row in of_first], scores[best], atol=2e-6)


def _both(network_class: Any, processor_class: Any, folder: Path) -> tuple[Any, Any]:
    network = network_class.from_pretrained(folder).eval().requires_grad_(False)
    return network, processor_class.from_pretrained(folder)


def _pixels(processor: Any) -> Any:
    with torch.inference_mode():
        return processor(images=[IMAGE.copy()], return_tensors="pt")


def _best_first(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: -row.score)
