"""The tables. Rows never leave this folder; times are seconds since 1970 by the database's clock.

Locks are always taken in one order, so that nobody waits in a circle: tenant, asset, job, unit.
Whoever changes a unit's outcome holds its job's row; claims take units only, and skip locked ones.
"""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import Double

from vision.domain.states import ItemState, JobState, UnitKind, UnitState
from vision.storage.columns import Identifier, Json
from vision.storage.schema import metadata as metadata
from vision.storage.schema import partial_index

DETECTION_BLOCK = 1024
detection_blocks = Sequence("detection_blocks", metadata=metadata)
"""PostgreSQL only: each value stands for a block of `DETECTION_BLOCK` numbers of detections."""

tenants = Table("tenants", metadata, Column("id", Text, primary_key=True))

assets = Table(
    "assets",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("facts", Json, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("filename", Text, nullable=False),
    Column("tags", Json, nullable=False),
    Column("blob_key", Text, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("tenant", "sha256"),
    Index(None, "tenant", "id"),
)

asset_tags = Table(
    "asset_tags",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("asset_id", Identifier, ForeignKey("assets.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "asset_id"),
)

doomed_blobs = Table(
    # Written in the transaction that erases the asset, removed when the blob is gone.
    "doomed_blobs",
    metadata,
    Column("blob_key", Text, primary_key=True),
    Column("doomed_at", Double, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("idempotency_key", Text),
    Column("request_sha256", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("pipeline", Json, nullable=False),
    Column("pipeline_sha256", String(64), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("tags", Json, nullable=False),
    Column("webhook", Text),
    Column("items_total", Integer, nullable=False),
    Column("items_done", Integer, nullable=False),
    Column("items_failed", Integer, nullable=False),
    # Of those done: videos that have results only in part.
    Column("items_partial", Integer, nullable=False, server_default="0"),
    # Sums over its videos, of what is stored; NULL for a job without videos.
    Column("frames_total", BigInteger),
    Column("frames_done", BigInteger),
    Column("seconds_total", Double),
    Column("seconds_done", Double),
    # How often it was started: 1, and one more with every retry.
    Column("run", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("error_code", Text),
    Column("error_detail", Text),
    # Deleted by its owner: seen by nobody, its detections are being removed.
    Column("erasing", Boolean(create_constraint=False), nullable=False),
    UniqueConstraint("tenant", "idempotency_key"),
    CheckConstraint(f"state in ({', '.join(repr(s.value) for s in JobState)})", name="state"),
    Index(None, "tenant", "id"),
    Index(None, "tenant", "state", "id"),
)
partial_index("jobs_open", jobs.c.id, where="finished_at is null")
partial_index("jobs_erasing", jobs.c.id, where="erasing")

job_tags = Table(
    "job_tags",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("job_id", Identifier, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "job_id"),
)

job_counts = Table(
    # Detections per label, kept up to date by every commit, so that nobody has to scan.
    "job_counts",
    metadata,
    Column("job_id", Identifier, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("label", Text, primary_key=True),
    Column("detections", BigInteger, nullable=False),
    Column("item_count", Integer, nullable=False),
)

provenances = Table(
    "provenances",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("document", Json, nullable=False),
)

job_provenances = Table(
    "job_provenances",
    metadata,
    Column("job_id", Identifier, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("provenance_id", Integer, ForeignKey("provenances.id"), primary_key=True),
)

items = Table(
    "items",
    metadata,
    Column("job_id", Identifier, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("asset_id", Identifier, ForeignKey("assets.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("error_code", Text),
    Column("error_detail", Text),
    Column("facts", Json, nullable=False),
    Column("detections", Integer, nullable=False),
    Column("counts", Json, nullable=False),
    Column("provenance_id", Integer, ForeignKey("provenances.id")),
    # Of a video: planned and stored; NULL for an image.
    Column("frames_total", Integer),
    Column("frames_done", Integer),
    Column("frames_declared", Integer),
    Column("seconds_total", Double),
    Column("seconds_done", Double),
    # What the end of a video had to say, next to the warnings of its facts.
    Column("warnings", Json),
    # Of the tracks that it has.
    Column("track_parameters", Json),
    # How many are stored, of it and of its detections.
    Column("embeddings", Integer, nullable=False, server_default="0"),
    # The best of what a classifier said of it; NULL when none was asked.
    Column("classes", Json),
    UniqueConstraint("job_id", "asset_id"),
    CheckConstraint(f"state in ({', '.join(repr(s.value) for s in ItemState)})", name="state"),
    Index(None, "asset_id"),
    partial_index(
        "items_video_in_work",
        "job_id",
        "item",
        where="state = 'pending' and frames_total > 0",
    ),
)

# Conditions of partial indexes. Queries use these very words, never a bound parameter: only a
# condition that is known when the statement is planned can be served by a partial index.
UNIT_READY = text("units.state = 'ready'")
UNIT_LEASED = text("units.state = 'leased'")
UNIT_OPEN = text("units.state in ('waiting', 'ready', 'leased')")
UNIT_QUARANTINED = text("units.state = 'quarantined'")
UNIT_NOT_RENDER = text(f"units.kind <> '{UnitKind.RENDER}'")
ITEM_IN_WORK = text("items.state = 'pending' and items.frames_total > 0")
JOB_OPEN = text("jobs.finished_at is null")
JOB_ERASING = text("jobs.erasing")

units = Table(
    "units",
    metadata,
    Column("job_id", Identifier, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    # The unit covers items `item` to `item + span - 1`, as far as they still exist.
    Column("span", Integer, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("fails", Integer, nullable=False),
    Column("not_before", Double, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    Column("error_code", Text),
    Column("error_detail", Text),
    Column("kind", Text, nullable=False, server_default=UnitKind.IMAGES.value),
    # Of a CHUNK or RENDER unit, for its worker.
    Column("plan", Json),
    # Planned; 0 for units that aren't about frames.
    Column("frames", Integer, nullable=False, server_default="0"),
    Column("seconds", Double, nullable=False, server_default="0"),
    # What the worker that holds it has told.
    Column("frames_done", Integer, nullable=False, server_default="0"),
    # Of a unit that is done: what was wrong with its part of the file.
    Column("damage", Text),
    CheckConstraint(f"state in ({', '.join(repr(s.value) for s in UnitState)})", name="state"),
    partial_index(
        "units_ready",
        "tenant",
        "priority",
        "job_id",
        "item",
        "chunk",
        "not_before",
        where="state = 'ready'",
    ),
    partial_index("units_ready_since", "not_before", where="state = 'ready'"),
    partial_index("units_leased", "lease_until", where="state = 'leased'"),
    partial_index("units_leased_of", "tenant", where="state = 'leased'"),
    partial_index(
        "units_open", "tenant", "job_id", where="state in ('waiting', 'ready', 'leased')"
    ),
    partial_index("units_quarantined", "job_id", where="state = 'quarantined'"),
)

detections = Table(
    # Many rows: no reference to units (each row would be checked); the commit holds the job's row,
    # and who removes a job or an item removes these first.
    "detections",
    metadata,
    Column("job_id", Identifier, primary_key=True),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    # Position in the model's order.
    Column("ord", Integer, primary_key=True, autoincrement=False),
    # Time and number, see vision/domain/stored.py: the order of lists across jobs.
    Column("id", BigInteger, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("class_id", Integer, nullable=False),
    Column("score", REAL),
    Column("x1", REAL, nullable=False),
    Column("y1", REAL, nullable=False),
    Column("x2", REAL, nullable=False),
    Column("y2", REAL, nullable=False),
    Column("predicted_iou", REAL),
    Column("stability_score", REAL),
    Column("frame_index", Integer),
    Column("pts_seconds", Double),
    # 64 bits on both: SQLite's integers always have them.
    Column("track_id", BigInteger().with_variant(Integer(), "sqlite")),
    Column("provenance_id", Integer),
    # float32, little-endian: x, y, score of each point.
    Column("keypoints", LargeBinary),
    # COCO's compressed counts; the size is the item's.
    Column("mask", Text),
    # The score is in the index so that a filter by it reads the index alone.
    Index("detections_newest", "tenant", "id", "score"),
    Index("detections_newest_of_label", "tenant", "label", "id", "score"),
    # One track in a job, and counts per stretch of time from the index alone. Images aren't in it.
    partial_index(
        "detections_of_track",
        "job_id",
        "item",
        "track_id",
        "pts_seconds",
        "label",
        where="pts_seconds is not null",
    ),
)

outbox = Table(
    # What has to be told outside; delivery repeats until the receiver has it.
    "outbox",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("job_id", Identifier, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("event", Text, nullable=False),
    Column("run", Integer, nullable=False),
    Column("payload", Json, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("next_at", Double, nullable=False),
    Column("delivered_at", Double),
    UniqueConstraint("job_id", "event", "run"),
)
