"""A batch through a pipeline, so that one image's trouble stays that image's trouble."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from vision.domain.findings import Findings
from vision.domain.job import ItemFailure
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

CHUNK_BROKE = ItemFailure(
    "internal_error", "the pipeline failed on this stretch; the worker's log says why"
)

Outcome = Findings | ItemFailure
T = TypeVar("T")
Part_contra = TypeVar("Part_contra", contravariant=True)


class RunsParts(Protocol[Part_contra]):
    """Whatever has one result per part, such as a pipeline of images."""

    def run(self, parts: Sequence[Part_contra], /) -> list[Findings]: ...


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why work with the networks came to nothing."""

    error: Exception

    def failure(self, otherwise: ItemFailure) -> ItemFailure:
        """What to tell; `otherwise` of an error that nobody foresaw, which goes to the log."""
        if isinstance(self.error, DeviceMemoryFull):
            return OUT_OF_MEMORY
        if isinstance(self.error, CallerError):
            return ItemFailure(self.error.code, str(self.error))
        log.error("inference failed", exc_info=self.error)
        return otherwise

    @property
    def may_pass(self) -> bool:
        """Whether another attempt may end better."""
        return not isinstance(self.error, CallerError)


def attempted(work: Callable[[], T]) -> T | Trouble:
    """What comes of work with the networks. Raises OperatorError, TemporaryError.

    Ends the process when the GPU is in a state that only a new process leaves.
    """
    try:
        return work()
    except DeviceMemoryFull as error:
        return Trouble(error)
    except DeviceBroken:
        log.critical("device broken", exc_info=True)
        os._exit(EXIT_DEVICE_BROKEN)
    except (OperatorError, TemporaryError):
        raise
    except Exception as error:  # noqa: BLE001 (the one around a job: nothing else may stop it)
        return Trouble(error)


def run_batch(pipeline: RunsParts[Part_contra], parts: Sequence[Part_contra]) -> list[Outcome]:
    """One outcome per image or frame, in order. Raises OperatorError, TemporaryError.

    Too many at once for the device go in halves; what something is wrong with fails alone.
    """
    found = attempted(partial(pipeline.run, parts))
    if not isinstance(found, Trouble):
        return list(found)
    if len(parts) == 1:
        return [found.failure(INTERNAL_ERROR)]
    step = len(parts) // 2 if isinstance(found.error, DeviceMemoryFull) else 1
    shares = [parts[start : start + step] for start in range(0, len(parts), step)]
    return [outcome for share in shares for outcome in run_batch(pipeline, share)]
