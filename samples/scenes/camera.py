"""The camera: uneven light, tint, blur, noise and JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samples.scenes.paint import Field

VIDEO_NOISE = (0.8, 1.6)
"""Less than in pictures: video cameras smooth theirs away, and an encoder pays for each grain."""


def photographed(rng: np.random.Generator, pixels: Field) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB of float32 pixels 0..255."""
    lit: Field = pixels * _light(rng, *pixels.shape[:2])[..., None]
    lit = lit * rng.uniform(0.92, 1.08, 3).astype(np.float32)
    if rng.random() < 0.5:
        lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.3, 1.0)), np.float32)
    noise = rng.standard_normal(lit.shape, np.float32) * np.float32(rng.uniform(1, 8))
    image = np.clip(lit + noise, 0, 255).astype(np.uint8)
    return _compressed(rng, image) if rng.random() < 0.5 else image


@dataclass(frozen=True, slots=True, eq=False)
class SteadyCamera:
    """Films: light, tint and blur stay, only the noise is another one in each frame."""

    light: Field
    """(height, width, 3)"""
    blur: float
    """Pixels; 0 is sharp."""
    noise: float

    @classmethod
    def from_chance(cls, rng: np.random.Generator, *, height: int, width: int) -> "SteadyCamera":
        tint = rng.uniform(0.95, 1.05, 3).astype(np.float32)
        light = _light(rng, height, width)[..., None] * tint
        blur = rng.uniform(0.3, 0.7)
        return cls(light, blur, noise=rng.uniform(*VIDEO_NOISE))

    def photographed(self, rng: np.random.Generator, pixels: Field) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB of float32 pixels 0..255."""
        lit = np.asarray(cv2.GaussianBlur(pixels * self.light, (0, 0), self.blur), np.float32)
        noise = rng.standard_normal(lit.shape, np.float32) * np.float32(self.noise)
        return np.clip(lit + noise, 0, 255).astype(np.uint8)


def _light(rng: np.random.Generator, height: int, width: int) -> Field:
    slope = rng.uniform(-0.25, 0.25, 2).astype(np.float32)
    down = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * slope[0]
    across = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :] * slope[1]
    return np.asarray(np.float32(rng.uniform(0.65, 1.25)) + down + across, np.float32)


def _compressed(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # Encoder and decoder agree on the channel order, so it does not matter that OpenCV says BGR.
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 95))]
    _, encoded = cv2.imencode(".jpg", image, quality)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
