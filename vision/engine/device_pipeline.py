"""An image pipeline whose device trouble comes out in the product's own words. Torch."""

from collections.abc import Sequence

import torch

from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.errors import DeviceBroken, DeviceMemoryFull
from vision.pipelines.image import ImagePipeline


class DevicePipeline:
    """A pipeline on a device that other pipelines used before it and will use after it."""

    def __init__(self, pipeline: ImagePipeline) -> None:
        self._pipeline = pipeline
        self.provenance = pipeline.provenance

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        """One result per image, in order. Raises DeviceMemoryFull, DeviceBroken."""
        try:
            return self._pipeline.run(images)
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise DeviceMemoryFull(f"{len(images)} images at once don't fit") from error
        except torch.AcceleratorError as error:
            raise DeviceBroken(str(error).partition("\n")[0]) from error
