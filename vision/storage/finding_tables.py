"""The tables of what is said of whole pictures: vectors and names. Like detections they have many
rows: no reference to units, and who removes a job or an item removes these first."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)
from sqlalchemy.types import Double

from vision.storage.columns import Identifier
from vision.storage.schema import metadata, partial_index

embeddings = Table(
    # Of an image: neither a frame nor a detection. Of a detection: its id, which is unique in the
    # tenant; what else is known of it stands in its own row, where tracks may change.
    "embeddings",
    metadata,
    Column("job_id", Identifier, primary_key=True),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    # In the order of frames; in a frame the whole first, then its detections.
    Column("ord", Integer, primary_key=True, autoincrement=False),
    Column("tenant", Text, nullable=False),
    Column("detection_id", BigInteger),
    Column("frame_index", Integer),
    Column("pts_seconds", Double),
    Column("provenance_id", Integer, nullable=False),
    # Only vectors of equal weights can be compared.
    Column("model", Text, nullable=False),
    Column("weights_sha256", String(64), nullable=False),
    Column("dimensions", Integer, nullable=False),
    # float32, little-endian, of length 1.
    Column("vector", LargeBinary, nullable=False),
    partial_index(
        "embeddings_of_detection", "tenant", "detection_id", where="detection_id is not null"
    ),
)

classifications = Table(
    # Of an image: no place in time. Of a frame: `frame_index`, and the same place four times. Of a
    # clip: the places of its first and last frame.
    "classifications",
    metadata,
    Column("job_id", Identifier, primary_key=True),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    # In order of time, then of rank.
    Column("ord", Integer, primary_key=True, autoincrement=False),
    Column("tenant", Text, nullable=False),
    # 1 is the best of its picture or clip.
    Column("rank", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("class_id", Integer, nullable=False),
    Column("score", REAL, nullable=False),
    Column("frame_index", Integer),
    Column("first_frame", Integer),
    Column("last_frame", Integer),
    Column("from_seconds", Double),
    Column("to_seconds", Double),
    Column("provenance_id", Integer),
)

FINDING_TABLES = (embeddings, classifications)
