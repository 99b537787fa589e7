"""One image that causes many passes: where memory runs out, they become smaller, and go on."""

from typing import Any

import numpy as np
import pytest
import torch
from loaded_sams import load_tiny
from seeded import LABELS, picture, tiny_sam, upstream_detector
from torch import nn

from vision.domain.prompt import Prompts
from vision.models.base import (
    DetectOptions,
    EverythingOptions,
    ImageEmbedding,
    ModelIdentity,
    PromptSegmenter,
)
from vision.models.segment_anything import BOXES_PER_DECODE, SegmentAnything
from vision.models.torchvision_detection import TorchvisionDetector

IDENTITY = ModelIdentity("it", "0" * 64, "cpu", "float32")
IMAGE = picture(96, 128)
EVERYTHING = EverythingOptions(
    points_per_side=4, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0
)


class SmallMemory(nn.Module):
    """A network's part on a device that has room for so many rows of one input at once."""

    def __init__(self, part: nn.Module, *, room: int, counted: str) -> None:
        super().__init__()
        self.part = part
        self.room = room
        self.counted = counted
        self.largest = 0
        self.refused = 0

    def forward(self, *inputs: Any, **named: Any) -> Any:
        rows = len(named[self.counted] if self.counted in named else inputs[0])
        if rows > self.room:
            self.refused += 1
            raise torch.OutOfMemoryError(f"{rows} rows don't fit")
        self.largest = max(self.largest, rows)
        return self.part(*inputs, **named)


def small_segmenter(room: int) -> tuple[SegmentAnything, SmallMemory]:
    sam = tiny_sam()
    decoder = SmallMemory(sam.mask_decoder, room=room, counted="sparse_prompt_embeddings")
    sam.mask_decoder = decoder  # type: ignore[assignment]
    return SegmentAnything(sam, identity=IDENTITY), decoder


def boxes(count: int) -> Prompts:
    edges = np.linspace(0, 60, count, dtype=np.float32)
    return Prompts.from_boxes(np.stack([edges, edges, edges + 30, edges + 20], axis=1))


def test_boxes_are_decoded_in_halves_until_they_fit() -> None:
    segmenter, decoder = small_segmenter(room=5)
    roomy = SegmentAnything(tiny_sam(), identity=IDENTITY)
    prompts = boxes(BOXES_PER_DECODE + 4)

    found = segmenter.segment(segmenter.embed(IMAGE), prompts)

    expected = roomy.segment(roomy.embed(IMAGE), prompts)
    assert found.masks == expected.masks
    np.testing.assert_allclose(found.predicted_iou, expected.predicted_iou, atol=1e-5)
    assert decoder.largest == 4


def test_the_smaller_number_is_taken_at_once_next_time() -> None:
    segmenter, decoder = small_segmenter(room=5)
    embedding = segmenter.embed(IMAGE)
    segmenter.segment(embedding, boxes(20))
    refused = decoder.refused

    segmenter.segment(embedding, boxes(20))

    assert refused > 0
    assert decoder.refused == refused


def test_everything_is_asked_with_fewer_clicks_at_once() -> None:
    segmenter, decoder = small_segmenter(room=3)
    roomy = SegmentAnything(tiny_sam(), identity=IDENTITY)

    found = segmenter.generate(IMAGE, EVERYTHING)

    expected = roomy.generate(IMAGE, EVERYTHING)
    assert found.masks == expected.masks
    assert len(found) > 0
    assert decoder.largest <= 3


def test_a_device_too_small_for_one_is_an_error() -> None:
    segmenter, _ = small_segmenter(room=0)
    embedding = segmenter.embed(IMAGE)

    with pytest.raises(torch.OutOfMemoryError):
        segmenter.segment(embedding, boxes(3))
    with pytest.raises(torch.OutOfMemoryError):
        segmenter.generate(IMAGE, EVERYTHING)


@pytest.fixture(params=["sam", "sam2"])
def card(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A promptable model on a card whose encoder has room for three images; Any: and its network.

    Several are tried at once, as on any card.
    """
    if request.param == "sam":
        model: Any = SegmentAnything(tiny_sam(), identity=IDENTITY)
        place, name = model._network.image_encoder, "encoder"
    else:
        model = load_tiny("sam2", PromptSegmenter)
        place, name = model._network, "vision_encoder"
    monkeypatch.setattr(model._encoder_passes, "_card", "small card")
    model.encoder = SmallMemory(getattr(place, name), room=3, counted="pixel_values")
    setattr(place, name, model.encoder)
    return model


IMAGES = [picture(96, 128, seed=seed) for seed in range(7)]


def test_images_are_encoded_by_as_many_as_fit(card: Any) -> None:
    embeddings = card.embed_all(IMAGES)

    assert card.encoder.largest <= 3
    assert card.encoder.refused > 0
    assert_embedded_as_one_by_one(card, embeddings)


def test_images_are_encoded_in_halves_where_memory_became_less(card: Any) -> None:
    key = card._encoder_passes._key("encoder")
    card.batch_sizes.remember(key, len(IMAGES))

    embeddings = card.embed_all(IMAGES)

    assert card.encoder.refused > 0
    assert card.batch_sizes.get(key) == 2, "of 7 come 3 and 4, and 4 are too many as well"
    assert_embedded_as_one_by_one(card, embeddings)


def test_an_encoder_without_room_for_one_image_is_an_error(card: Any) -> None:
    card.encoder.room = 0

    with pytest.raises(torch.OutOfMemoryError):
        card.embed_all(IMAGES)


def assert_embedded_as_one_by_one(card: Any, embeddings: list[ImageEmbedding]) -> None:
    for embedding, image in zip(embeddings, IMAGES, strict=True):
        found = card.segment(embedding, boxes(3))
        expected = card.segment(card.embed(image), boxes(3))
        np.testing.assert_allclose(found.predicted_iou, expected.predicted_iou, atol=1e-4)
        for one, other in zip(found.masks, expected.masks, strict=True):
            assert (one.bitmap() ^ other.bitmap()).mean() < 1e-3


def test_pictures_are_detected_in_halves_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    network = upstream_detector("fasterrcnn_mobilenet_v3_large_320_fpn")
    detector = TorchvisionDetector(network, identity=IDENTITY, labels=LABELS)
    images = [picture(96, 128, seed=seed) for seed in range(7)]
    expected = detector.detect(images, DetectOptions(0.3))
    # As on a card: where several fit, several are tried.
    monkeypatch.setattr(detector._passes, "_card", "small card")
    backbone = SmallMemory(network.backbone, room=3, counted="pixels")  # type: ignore[arg-type]
    network.backbone = backbone

    found = detector.detect(images, DetectOptions(0.3))

    assert backbone.largest <= 3
    assert backbone.refused > 0
    for one, other in zip(found, expected, strict=True):
        assert one.labels == other.labels
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
