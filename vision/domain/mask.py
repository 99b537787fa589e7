"""A mask as COCO run lengths: the one form in which masks are kept, stored and sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from vision.domain.image import ImageSize


class RleJson(TypedDict):
    """COCO's compressed form: `size` is [height, width]."""

    size: list[int]
    counts: str


@dataclass(frozen=True, slots=True)
class RleMask:
    """Column-major run lengths in COCO's compressed ASCII form."""

    size: ImageSize
    counts: str

    @classmethod
    def from_bitmap(cls, bitmap: NDArray[np.bool_]) -> Self:
        """From (height, width) bool."""
        return cls.from_bitmaps(bitmap[None])[0]

    @classmethod
    def from_bitmaps(cls, bitmaps: NDArray[np.bool_]) -> tuple[Self, ...]:
        """From (n, height, width) bool, in one call: several times faster than one by one."""
        if bitmaps.ndim != 3:
            raise ValueError(f"bitmaps have shape (n, height, width), not {bitmaps.shape}")
        size = ImageSize(width=bitmaps.shape[2], height=bitmaps.shape[1])
        columns = np.asfortranarray(bitmaps.transpose(1, 2, 0), dtype=np.uint8)
        return tuple(cls(size, rle["counts"].decode("ascii")) for rle in coco.encode(columns))

    @classmethod
    def from_json(cls, document: RleJson) -> Self:
        height, width = document["size"]
        return cls(ImageSize(width=width, height=height), document["counts"])

    def to_json(self) -> RleJson:
        return {"size": [self.size.height, self.size.width], "counts": self.counts}

    def bitmap(self) -> NDArray[np.bool_]:
        """(height, width) bool."""
        decoded: NDArray[np.uint8] = coco.decode(self._bytes_form())
        return decoded.astype(bool)

    @property
    def area(self) -> int:
        """Pixels inside."""
        return int(coco.area(self._bytes_form()))

    def _bytes_form(self) -> dict[str, object]:
        return {"size": [self.size.height, self.size.width], "counts": self.counts.encode("ascii")}


def areas(masks: Sequence[RleMask]) -> NDArray[np.int64]:
    """Pixels inside each mask, (n,) int64."""
    return np.array([mask.area for mask in masks], dtype=np.int64)


def tight_boxes(masks: Sequence[RleMask]) -> NDArray[np.float32]:
    """(n, 4) float32: x1, y1, x2, y2 of the pixels of each mask, edges included; zeros for none."""
    plain = [mask._bytes_form() for mask in masks]
    boxes = np.array(coco.toBbox(plain) if plain else [], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes
