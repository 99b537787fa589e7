"""SAM 3 and SAM3-LiteText in transformers: everything that a word names or an example shows.

The image is encoded once, then asked one word at a time. Rows are those of upstream's class and
its `post_process_instance_segmentation`, boxes cut off at the picture's border.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vision.domain.concept import Concepts
from vision.domain.detections import ANY_OBJECT, Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.errors import InvalidRequest
from vision.models.base import ConceptOptions, ConceptSegmenter, ModelIdentity
from vision.models.device import Placement
from vision.models.row_limit import below
from vision.models.state import memory_bytes
from vision.models.transformers_pixels import pixel_values

TEXT_TOKENS = 32
"""Upstream pads every text to so many, and fails on more."""
FRAME_TOKENS = 2
"""Of them, those before and after the words."""
VALUES_AT_ONCE = 2**24
"""Mask values at full resolution in memory at a time: upstream holds 13 bytes for each."""
EVERY_SCORE = -1.0
"""A threshold that keeps all."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the network found, in upstream's form without its first axis, of one image."""

    scores: Tensor
    """(n,) with the highest first."""
    word_ids: Tensor
    """(n,)"""
    logits: Tensor
    """(n,)"""
    presence: Tensor
    """(n,) logits: whether there is such a thing in the picture at all; the same for each word."""
    boxes: Tensor
    """(n, 4)"""
    masks: Tensor
    """(n, h, w) logits."""

    def best(self, count: int) -> "_Rows":
        """At most so many; of equal scores the earlier ones."""
        order = torch.argsort(self.scores, descending=True, stable=True)[:count]
        return _Rows(*(column[order] for column in self.columns))

    def joined(self, others: "_Rows") -> "_Rows":
        pairs = zip(self.columns, others.columns, strict=True)
        return _Rows(*(torch.cat(pair) for pair in pairs))

    def parts(self, count: int) -> Iterator["_Rows"]:
        """So many at a time."""
        split = [torch.split(column, count) for column in self.columns]
        return (_Rows(*some) for some in zip(*split, strict=True) if len(some[0]))

    @property
    def columns(self) -> tuple[Tensor, ...]:
        return (self.scores, self.word_ids, self.logits, self.presence, self.boxes, self.masks)


class TransformersConcepts(ConceptSegmenter):
    """`Sam3Model` or `Sam3LiteTextModel` with its processor."""

    def __init__(self, network: Any, processor: Any, *, identity: ModelIdentity) -> None:
        """Any: upstream is untyped."""
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self._network = network
        self._processor = processor
        self._placement = Placement(identity.device, identity.precision)

    def _find(self, image: RgbImage, concepts: Concepts, options: ConceptOptions) -> Detections:
        for word in concepts.words:
            self._require_short(word)
        size = ImageSize.of(image)
        with torch.inference_mode():
            rows = self._best_rows(image, concepts, options)
            parts = [
                self._full_size(some, size)
                for some in rows.parts(max(1, VALUES_AT_ONCE // size.pixels))
            ]
        return _detections(rows, parts, concepts.words)

    def _best_rows(self, image: RgbImage, concepts: Concepts, options: ConceptOptions) -> _Rows:
        """Of all words. Never more than twice the wanted number are kept: words may be many."""
        embedding = self._embedding(image)
        best: _Rows | None = None
        for word_id, word in enumerate(concepts.words or (None,)):
            found = self._rows(embedding, word, concepts.examples, ImageSize.of(image))
            kept = _above(found, options.min_score, word_id)
            best = (kept if best is None else best.joined(kept)).best(options.max_detections)
        assert best is not None, "there is a word or an example"
        return best

    def _embedding(self, image: RgbImage) -> Any:
        pixels = pixel_values(self._processor.image_processor, [image], device=self.identity.device)
        with self._placement.autocast():
            embedding = self._network.get_vision_features(pixel_values=pixels)
        # Only the image encoder bears another number format than float32.
        for name in ("fpn_hidden_states", "fpn_position_encoding"):
            embedding[name] = tuple(level.float() for level in embedding[name])
        return embedding

    def _rows(
        self, embedding: Any, word: str | None, examples: NDArray[np.float32], size: ImageSize
    ) -> Any:
        """Upstream's answer to one word, to examples, or to both."""
        prompt: dict[str, Any] = {} if word is None else {"text": word}
        if len(examples):
            prompt["input_boxes"] = [examples[:, :4].tolist()]
            prompt["input_boxes_labels"] = [examples[:, 4].astype(int).tolist()]
        inputs = self._processor(
            original_sizes=[[size.height, size.width]], return_tensors="pt", **prompt
        )
        del inputs["original_sizes"]
        return self._network(vision_embeds=embedding, **inputs.to(self.identity.device))

    def _full_size(
        self, rows: _Rows, size: ImageSize
    ) -> tuple[NDArray[np.float32], tuple[RleMask, ...]]:
        """Boxes (n, 4) in pixels inside the picture and masks, by upstream's own processor."""
        answer = SimpleNamespace(
            pred_logits=rows.logits[None],
            pred_boxes=rows.boxes[None],
            pred_masks=rows.masks[None],
            presence_logits=rows.presence[None],
        )
        (found,) = self._processor.post_process_instance_segmentation(
            answer, threshold=EVERY_SCORE, target_sizes=[(size.height, size.width)]
        )
        boxes = found["boxes"].cpu().numpy()
        bitmaps = found["masks"].bool().cpu().numpy()
        border = [size.width, size.height, size.width, size.height]
        return boxes.clip(0, np.array(border, np.float32)), RleMask.from_bitmaps(bitmaps)

    def _require_short(self, word: str) -> None:
        tokens = len(self._processor.tokenizer(word)["input_ids"])
        if tokens > TEXT_TOKENS:
            raise InvalidRequest(
                f"{word!r} is {tokens - FRAME_TOKENS} tokens; {self.identity.name} takes "
                f"{TEXT_TOKENS - FRAME_TOKENS}"
            )


def _above(answer: Any, min_score: float, word_id: int) -> _Rows:
    """The rows of upstream's answer that upstream's processor would keep, in its order."""
    logits = answer.pred_logits[0]
    presence = answer.presence_logits[0].expand_as(logits)
    scores = logits.sigmoid() * presence.sigmoid()
    kept = scores > below(min_score)
    return _Rows(
        scores=scores[kept],
        word_ids=torch.full_like(scores[kept], word_id, dtype=torch.int64),
        logits=logits[kept],
        presence=presence[kept],
        boxes=answer.pred_boxes[0][kept],
        masks=answer.pred_masks[0][kept],
    )


def _detections(
    rows: _Rows,
    parts: Sequence[tuple[NDArray[np.float32], tuple[RleMask, ...]]],
    words: tuple[str, ...],
) -> Detections:
    class_ids = rows.word_ids.cpu().numpy()
    return Detections(
        boxes=np.concatenate([np.zeros((0, 4), np.float32), *(boxes for boxes, _ in parts)]),
        labels=tuple((words or (ANY_OBJECT,))[class_id] for class_id in class_ids),
        class_ids=class_ids,
        scores=rows.scores.cpu().numpy(),
        masks=tuple(mask for _, masks in parts for mask in masks),
    )
