"""A `VideoSegmenter` without a network: an object is what has the color pointed at."""

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vision.domain.detections import ANY_OBJECT
from vision.domain.image import RgbImage
from vision.domain.mask import RleMask
from vision.models.base import ModelIdentity
from vision.models.video import Course, FrameMasks, ObjectPrompt, VideoSegmenter, VideoSession

NAMED_COLORS = {"red": (255, 0, 0), "blue": (0, 0, 255)}
FIRST_FOUND = 900_000
"""Ids of objects that words found: away from the caller's."""
RECORD = struct.Struct("<q3d")
REACH = 60.0
LEARNING = 0.2
"""Colors drift with the light: what is remembered follows."""


class ColorFollower(VideoSegmenter):
    understands_words = True

    def __init__(self, name: str = "color") -> None:
        super().__init__(ModelIdentity(name, "0" * 64, "cpu", "float32"), memory_bytes=0)

    def _open(self, course: Course, state: bytes | None) -> VideoSession:
        if state is None:
            words = enumerate(course.words)
            known = {FIRST_FOUND + n: np.array(NAMED_COLORS[word], float) for n, word in words}
        else:
            known = {n: np.array(color) for n, *color in RECORD.iter_unpack(state)}
        return _Session(self.identity, course, known)


class _Session(VideoSession):
    def __init__(
        self, model: ModelIdentity, course: Course, known: dict[int, NDArray[np.float64]]
    ) -> None:
        super().__init__(model, course)
        self._known = known

    def _feed(self, image: RgbImage, prompts: Sequence[ObjectPrompt]) -> FrameMasks:
        for prompt in prompts:
            self._known[prompt.object_id] = image[_inside(prompt, image)].mean(axis=0)
        ids = sorted(self._known)
        bitmaps = np.array([self._find(image, n) for n in ids]).reshape(-1, *image.shape[:2])
        return FrameMasks(
            np.array(ids, np.int64),
            RleMask.from_bitmaps(bitmaps),
            bitmaps.any(axis=(1, 2)).astype(np.float32),
            tuple(self._label(n) for n in ids),
        )

    def _find(self, image: RgbImage, object_id: int) -> NDArray[np.bool_]:
        color = self._known[object_id]
        bitmap: NDArray[np.bool_] = np.linalg.norm(image - color, axis=2) < REACH
        if bitmap.any():
            self._known[object_id] = color + LEARNING * (image[bitmap].mean(axis=0) - color)
        return bitmap

    def _label(self, object_id: int) -> str:
        found = object_id - FIRST_FOUND
        return self.course.words[found] if found >= 0 else ANY_OBJECT

    def _save(self) -> bytes:
        return b"".join(RECORD.pack(n, *color) for n, color in self._known.items())


def _inside(prompt: ObjectPrompt, image: RgbImage) -> NDArray[np.bool_]:
    if prompt.mask is not None:
        return prompt.mask.bitmap()
    chosen = np.zeros(image.shape[:2], np.bool_)
    if prompt.points is not None:
        x, y, _ = prompt.points[prompt.points[:, 2] == 1].astype(int).T
        chosen[y, x] = True
    if prompt.box is not None:
        x1, y1, x2, y2 = prompt.box.astype(int)
        chosen[y1:y2, x1:x2] = True
    return chosen
