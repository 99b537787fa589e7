"""Embeddings of images in memory, so that an image that is asked about again isn't encoded again.

store = EmbeddingStore(memory_bytes=256 * MIB)
embeddings = store.each(images, model=identity, embed=network_says)
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from vision.domain.image import ImageSize, RgbImage

if TYPE_CHECKING:  # each of the two modules needs the other's names
    from vision.models.base import ImageEmbedding, ModelIdentity

Embed: TypeAlias = "Callable[[Sequence[RgbImage]], list[ImageEmbedding]]"


@dataclass(frozen=True, slots=True)
class EmbeddingKey:
    """Whose embedding: the same pixels to the same network in the same number format."""

    model: "ModelIdentity"
    size: ImageSize
    pixels_sha256: bytes
    """Of a hash that nobody can aim at: else one image could be made to get another's masks."""

    @classmethod
    def of(cls, image: RgbImage, model: "ModelIdentity") -> "EmbeddingKey":
        # 3.4 ms for 1920 x 1080 on a core with SHA instructions (docs/decisions/0013).
        digest = hashlib.sha256(np.ascontiguousarray(image).data).digest()
        return cls(model, ImageSize.of(image), digest)


class EmbeddingStore:
    """At most `memory_bytes` of embeddings; the least recently used leave first. 0 keeps none.

    Memory is all that there is: nothing is written to disk, and nothing outlives the process.
    Embeddings are made of people's pictures, and much of a picture can be told from them.

    Safe for threads. Two that ask for one unknown image at the same time both compute it.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._most_bytes = memory_bytes
        self._kept: OrderedDict[EmbeddingKey, ImageEmbedding] = OrderedDict()
        self._memory_bytes = 0
        self._lock = threading.Lock()

    @property
    def memory_bytes(self) -> int:
        """Of what is kept now."""
        with self._lock:
            return self._memory_bytes

    def each(
        self, images: Sequence[RgbImage], *, model: "ModelIdentity", embed: Embed
    ) -> "list[ImageEmbedding]":
        """One per image, in order: what is kept, and what `embed` makes of the other images, of
        each once.
        """
        if not self._most_bytes:
            return embed(images)
        keys = [EmbeddingKey.of(image, model) for image in images]
        known = self._known(keys)
        unknown = {key: image for key, image in zip(keys, images, strict=True) if key not in known}
        if unknown:
            made = dict(zip(unknown, embed(list(unknown.values())), strict=True))
            self._keep(made)
            known |= made
        return [known[key] for key in keys]

    def forget(self, model: "ModelIdentity") -> None:
        """All that this model made."""
        with self._lock:
            for key in [key for key in self._kept if key.model == model]:
                self._drop(key)

    def _known(self, keys: Sequence[EmbeddingKey]) -> "dict[EmbeddingKey, ImageEmbedding]":
        with self._lock:
            known = {key: self._kept[key] for key in keys if key in self._kept}
            for key in known:
                self._kept.move_to_end(key)
        return known

    def _keep(self, made: "Mapping[EmbeddingKey, ImageEmbedding]") -> None:
        with self._lock:
            for key, embedding in made.items():
                # What costs nothing to keep cost nothing to make: no number of these is too large.
                if 0 < embedding.memory_bytes <= self._most_bytes:
                    self._put(key, embedding)

    def _put(self, key: EmbeddingKey, embedding: "ImageEmbedding") -> None:
        if key in self._kept:  # another thread was quicker
            self._drop(key)
        self._kept[key] = embedding
        self._memory_bytes += embedding.memory_bytes
        while self._memory_bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: EmbeddingKey) -> None:
        self._memory_bytes -= self._kept.pop(key).memory_bytes
