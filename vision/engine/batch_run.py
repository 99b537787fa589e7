"""A batch through a pipeline, so that one image's trouble stays that image's trouble."""

import logging
import os
from collections.abc import Sequence

from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.job import ItemFailure
from vision.engine.station import RunsImages
from vision.errors import (
    CallerError,
    DeviceBroken,
    DeviceMemoryFull,
    OperatorError,
    TemporaryError,
)

log = logging.getLogger(__name__)

EXIT_DEVICE_BROKEN = 71
INTERNAL_ERROR = ItemFailure(
    "internal_error", "the pipeline failed on this image; the worker's log says why"
)
OUT_OF_MEMORY = ItemFailure(
    DeviceMemoryFull.code, "the device's memory is too small for this image"
)

Outcome = Findings | ItemFailure


def run_batch(pipeline: RunsImages, images: Sequence[RgbImage]) -> list[Outcome]:
    """One outcome per image, in order. Raises OperatorError, TemporaryError.

    Ends the process when the GPU is in a state that only a new process leaves.
    """
    try:
        return list(pipeline.run(images))
    except DeviceMemoryFull:
        return _in_halves(pipeline, images)
    except DeviceBroken:
        log.critical("device broken", exc_info=True)
        os._exit(EXIT_DEVICE_BROKEN)
    except (OperatorError, TemporaryError):
        raise
    except Exception as error:  # noqa: BLE001 (the one around a job: nothing else may stop it)
        return _one_by_one(pipeline, images, error)


def _in_halves(pipeline: RunsImages, images: Sequence[RgbImage]) -> list[Outcome]:
    if len(images) == 1:
        return [OUT_OF_MEMORY]
    middle = len(images) // 2
    return run_batch(pipeline, images[:middle]) + run_batch(pipeline, images[middle:])


def _one_by_one(
    pipeline: RunsImages, images: Sequence[RgbImage], error: Exception
) -> list[Outcome]:
    if len(images) > 1:
        return [outcome for image in images for outcome in run_batch(pipeline, [image])]
    if isinstance(error, CallerError):
        return [ItemFailure(error.code, str(error))]
    log.error("image failed", exc_info=error)
    return [INTERNAL_ERROR]
