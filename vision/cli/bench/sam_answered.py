"""Upstream's generator and ours with the same answers in place of their decoders' own.

The decoders run all the same: what they said is compared, and then thrown away (`sam_scene`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor, nn

from vision.cli.bench.sam_scene import Answers, Scene
from vision.domain.detections import ANY_OBJECT, Detections
from vision.domain.image import RgbImage
from vision.domain.mask import RleMask
from vision.models.base import ModelIdentity
from vision.models.bilinear import Enlargement
from vision.models.device import PRECISIONS
from vision.models.everything import Candidates, Points, wanted
from vision.models.folded_decoder import Decoded, FoldedDecoder, ImageSide
from vision.models.segment_anything import SegmentAnything


class Answering:
    """Gives the answers to some clicks after those to the clicks before."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._next = 0
        self.heard: list[Tensor] | None = None
        """What the decoder itself said, once somebody wants to know."""

    def instead_of(self, said: Tensor) -> tuple[Tensor, Tensor]:
        """In place of (n, 3, side, side) logits."""
        if self.heard is not None:
            self.heard.append(said.float())
        return self.to_clicks(len(said))

    def to_clicks(self, count: int) -> tuple[Tensor, Tensor]:
        """Logits and predicted IoU; from the first again where too few are left."""
        start = self._next if self._next + count <= len(self._answers.low) else 0
        self._next = start + count
        some = slice(start, self._next)
        return self._answers.low[some], self._answers.predicted_iou[some]


class GivenFeatures(nn.Module):
    """An image encoder that has looked already."""

    def __init__(self, features: Tensor, side: int) -> None:
        super().__init__()
        self.img_size = side  # upstream reads this name
        self._features = features

    def forward(self, pixels: Tensor) -> Tensor:
        return self._features.expand(len(pixels), -1, -1, -1)


class AnsweredDecoder(nn.Module):
    """A mask decoder of upstream that isn't listened to."""

    def __init__(self, decoder: nn.Module, answering: Answering) -> None:
        super().__init__()
        self.decoder = decoder
        self._answering = answering

    def forward(self, **prompts: Any) -> tuple[Tensor, Tensor]:
        said, _ = self.decoder(**prompts)
        return self._answering.instead_of(said)


class AnsweredFolded(FoldedDecoder):
    """The folded decoder, as little listened to. It draws the masks of all prompts: which of them
    survive is decided by the answers."""

    def __init__(
        self, network: Sam, answering: Answering, *, dtype: torch.dtype, is_compiled: bool
    ) -> None:
        super().__init__(network, dtype=dtype, is_compiled=is_compiled)
        self._answering = answering

    def decode(
        self, image: ImageSide, sparse: Tensor, *, several: bool, min_iou: float | None
    ) -> Decoded:
        said = super().decode(image, sparse, several=several, min_iou=None)
        low, predicted_iou = self._answering.instead_of(said.low)
        if min_iou is None:
            return Decoded(low, predicted_iou, said.prompts)
        prompts = (predicted_iou > min_iou).any(1).nonzero()[:, 0]
        return Decoded(low[prompts], predicted_iou, prompts)


class AnsweredSam(SegmentAnything):
    """Ours, with such decoders."""

    def __init__(self, network: Sam, folded: FoldedDecoder, *, identity: ModelIdentity) -> None:
        super().__init__(network, identity=identity)
        self._answered = folded

    @property
    def folded(self) -> FoldedDecoder:
        return self._answered


class AnsweredPredictor(SamPredictor):  # type: ignore[misc]
    """Upstream's, of which only what comes after the decoder is left."""

    def __init__(self, network: Sam, answering: Answering) -> None:
        super().__init__(network)
        self._answering = answering

    def predict_torch(
        self, point_coords: Tensor, _labels: Tensor, **_wishes: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        low, predicted_iou = self._answering.to_clicks(len(point_coords))
        masks = self.model.postprocess_masks(low, self.input_size, self.original_size)
        return masks, predicted_iou, low


@dataclass(frozen=True, slots=True)
class AnsweredSeen:
    """A picture of ours with no decoder at all."""

    enlargement: Enlargement
    answering: Answering

    def candidates(self, points: Points, *, min_iou: float | None) -> Candidates:
        return wanted(*self.answering.to_clicks(len(points)), min_iou)


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """One way from a picture to its masks."""

    generate: Callable[[RgbImage], Detections]
    answering: Answering


def answered_network(scene: Scene, answering: Answering, *, is_encoded: bool) -> Sam:
    """The scene's, listened to no more; unless `is_encoded` without its image encoder too."""
    network, side = scene.network, scene.network.image_encoder.img_size
    encoder = network.image_encoder if is_encoded else GivenFeatures(scene.features(), side)
    decoder = AnsweredDecoder(network.mask_decoder, answering)
    return Sam(encoder, network.prompt_encoder, decoder).to(scene.device).eval()


def upstream(scene: Scene, *, is_encoded: bool) -> Contender:
    """`SamAutomaticMaskGenerator` as it is."""
    answering = Answering(scene.answers(scene.size))
    network = answered_network(scene, answering, is_encoded=is_encoded)
    generator = SamAutomaticMaskGenerator(
        network, **scene.options.upstreams(), output_mode="coco_rle"
    )
    return Contender(lambda image: as_detections(generator.generate(image)), answering)


def ours(
    scene: Scene,
    mode: str,
    *,
    is_encoded: bool,
    precision: str = "float32",
    is_compiled: bool = False,
) -> Contender:
    """`SegmentAnything` in that mode."""
    answering = Answering(scene.answers(scene.size))
    folded = AnsweredFolded(
        scene.network, answering, dtype=PRECISIONS[precision], is_compiled=is_compiled
    )
    sam = AnsweredSam(
        answered_network(scene, answering, is_encoded=is_encoded),
        folded,
        identity=ModelIdentity("sam", "0" * 64, scene.device, precision),
    )
    options = replace(scene.options, mode=mode)
    return Contender(lambda image: sam.generate(image, options), answering)


def as_detections(records: list[dict[str, Any]]) -> Detections:
    """What upstream found with `coco_rle`, in its order."""
    boxes = np.array([record["bbox"] for record in records], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Detections(
        boxes=boxes,
        labels=(ANY_OBJECT,) * len(records),
        class_ids=np.zeros(len(records), np.int64),
        masks=tuple(RleMask.from_json(record["segmentation"]) for record in records),
        predicted_iou=np.array([record["predicted_iou"] for record in records], np.float32),
        stability_scores=np.array([record["stability_score"] for record in records], np.float32),
    )


def require_same(found: Detections, expected: Detections) -> None:
    """Raises ValueError unless masks, boxes, both numbers and the order are upstream's."""
    columns = ("boxes", "predicted_iou", "stability_scores")
    differing = [
        name
        for name in columns
        if not np.array_equal(getattr(found, name), getattr(expected, name))
    ]
    if found.masks != expected.masks or differing:
        what = ", ".join(differing or ["masks"])
        raise ValueError(
            f"of {len(found)} masks of ours and {len(expected)} of upstream, {what} differ"
        )


def relative_error(found: Tensor, expected: Tensor) -> float:
    """The largest difference as a part of the largest value."""
    return ((found.float() - expected).abs().max() / expected.abs().max()).item()
