"""Small objects in big pictures: a detector shown overlapping squares, and one answer of all."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.models.base import DetectOptions, Detector
from vision.pipelines.stages import Tiles


def detect_in_tiles(
    detector: Detector, image: RgbImage, options: DetectOptions, tiles: Tiles
) -> Detections:
    """As `detector.detect` of the whole image, which is one of the tiles if wanted."""
    raise NotImplementedError


__all__ = ["Detections", "ImageSize", "Iterator", "detect_in_tiles", "np", "replace"]
