"""The states of jobs, units and items, and when they are final."""

from enum import StrEnum


class JobState(StrEnum):
    """queued → running → succeeded | partial | failed | cancelled."""

    QUEUED = "queued"
    """Stored; no unit has been claimed yet."""
    RUNNING = "running"
    """A worker has claimed at least one unit."""
    SUCCEEDED = "succeeded"
    """Every item has its results."""
    PARTIAL = "partial"
    """Ended; some items have all their results, others some or an error."""
    FAILED = "failed"
    """Ended; no item has results."""
    CANCELLED = "cancelled"
    """Stopped by its owner; what was committed before stays."""

    @property
    def is_final(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


class UnitKind(StrEnum):
    """What a worker does in a unit. All but IMAGES are about one video."""

    IMAGES = "images"
    PROBE = "probe"
    """Reads all packets and cuts the video into chunks."""
    CHUNK = "chunk"
    TRACK = "track"
    """Follows objects over the stored detections of all chunks, in order."""
    RENDER = "render"
    """Draws the results into an MP4. Belongs to a job that may have ended; never keeps it open."""


class UnitState(StrEnum):
    """A unit is what one worker does in one go."""

    WAITING = "waiting"
    """Another unit has to end first."""
    READY = "ready"
    """Any worker may claim it, from `not_before` on."""
    LEASED = "leased"
    """A worker holds it until `lease_until`, and renews that."""
    DONE = "done"
    """Its results are stored: the same transaction made both true."""
    FAILED = "failed"
    """Its input can't be processed; trying again won't help."""
    QUARANTINED = "quarantined"
    """It broke its worker too often; only a person's retry runs it again."""
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        return self in (UnitState.WAITING, UnitState.READY, UnitState.LEASED)


class ItemState(StrEnum):
    """An item is one asset in one job."""

    PENDING = "pending"
    DONE = "done"
    """Its results are stored, possibly none found."""
    PARTIAL = "partial"
    """A damaged video: what could be decoded has results, a warning names the rest."""
    FAILED = "failed"
    """It has an error code instead of results."""
    CANCELLED = "cancelled"
