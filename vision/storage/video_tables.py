"""The tables that only videos need. Their rows go with the item; see erasure."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)
from sqlalchemy.types import Double

from vision.storage.columns import Identifier
from vision.storage.schema import metadata

chunk_frames = Table(
    # Which frames were analysed: one row per stored chunk, written with its detections.
    "chunk_frames",
    metadata,
    Column("job_id", Identifier, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("frames", Integer, nullable=False),
    Column("detections", Integer, nullable=False),
    Column("first_frame", Integer, nullable=False),
    Column("last_frame", Integer, nullable=False),
    Column("first_seconds", Double, nullable=False),
    Column("last_seconds", Double, nullable=False),
    # Frame indices, times and numbers of detections, see frame_columns.
    Column("packed", LargeBinary, nullable=False),
    Index(None, "job_id", "item", "first_seconds"),
)

tracks = Table(
    "tracks",
    metadata,
    Column("job_id", Identifier, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    # Grows with the item, then with the first appearance: the order of lists.
    Column("track_id", BigInteger, primary_key=True, autoincrement=False),
    Column("item", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("class_id", Integer, nullable=False),
    Column("first_seconds", Double, nullable=False),
    Column("last_seconds", Double, nullable=False),
    Column("first_frame", Integer, nullable=False),
    Column("last_frame", Integer, nullable=False),
    Column("detections", Integer, nullable=False),
    Column("best_frame", Integer, nullable=False),
    Column("best_seconds", Double, nullable=False),
    Column("best_x1", REAL, nullable=False),
    Column("best_y1", REAL, nullable=False),
    Column("best_x2", REAL, nullable=False),
    Column("best_y2", REAL, nullable=False),
    Column("best_score", REAL),
    # float64, little-endian: seconds, x, y of each point.
    Column("path", LargeBinary, nullable=False),
    # Where in the item's blob of crops the best moment's JPEG is.
    Column("crop_offset", BigInteger),
    Column("crop_length", Integer),
    Index(None, "job_id", "label", "track_id"),
)

CROPS, RENDER = "crops", "render"

derived_blobs = Table(
    # Files made from results. Whoever removes a row dooms its blob in the same transaction.
    "derived_blobs",
    metadata,
    Column("job_id", Identifier, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("item", Integer, primary_key=True, autoincrement=False),
    # CROPS, RENDER, or what a chunk of a followed video begins with, see chains.
    Column("kind", Text, primary_key=True),
    Column("blob_key", Text, nullable=False, unique=True),
    Column("size_bytes", BigInteger),
    Column("media_type", Text, nullable=False),
)

ITEM_TABLES = (chunk_frames, tracks, derived_blobs)
