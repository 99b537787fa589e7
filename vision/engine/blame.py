"""What goes wrong with a unit as a whole is told, and goes no further."""

from collections.abc import Iterator
from contextlib import contextmanager

from vision.domain.job import Lease
from vision.engine.in_flight import LeaseGone
from vision.engine.outcomes import Outcomes
from vision.engine.source import Source
from vision.errors import TemporaryError, VisionError


@contextmanager
def blamed(lease: Lease, *, source: Source, outcomes: Outcomes) -> Iterator[None]:
    """Around the work on it. Raises StorageUnavailable when that can't be told."""
    try:
        yield
    except LeaseGone:
        # Cancelled, lost or given back meanwhile: that was told by whoever noticed.
        return
    except TemporaryError as error:
        # The same would meet the next unit: stop, and let a later bell try again.
        source.stop()
        outcomes.give_back(lease, reason=str(error))
    except VisionError as error:
        # Of a machine that lacks something, or of a video that is none.
        outcomes.unit_failed(lease, error)
