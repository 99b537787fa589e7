"""Recorded video: kinds of units, progress in frames, tracks, analysed frames, derived blobs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from vision.storage.columns import Identifier, Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ITEM_STATES = "state in ('pending', 'done', 'partial', 'failed', 'cancelled')"
OLD_ITEM_STATES = "state in ('pending', 'done', 'failed', 'cancelled')"
VIDEO_ROW = "pts_seconds is not null"
IN_WORK = "state = 'pending' and frames_total > 0"
REFERENCE = ["jobs.id"]


def upgrade() -> None:
    """Adds only: what is stored about images stays as it is."""
    for column in _job_columns():
        op.add_column("jobs", column)
    for column in _unit_columns():
        op.add_column("units", column)
    _widen_items()
    _widen_detections()
    _chunk_frames()
    _tracks()
    _derived_blobs()


def downgrade() -> None:
    """Videos keep their detections and lose the rest: revision 0001 doesn't know them."""
    for table in ("derived_blobs", "tracks", "chunk_frames"):
        op.drop_table(table)
    op.drop_index("detections_of_track", "detections")
    if _is_postgresql():
        _replace_track_id(sa.Integer())
    _narrow_items()
    # Revision 0001 would take them for images; without them the tick ends their jobs.
    op.execute("delete from units where kind <> 'images'")
    for column in reversed(_unit_columns()):
        op.drop_column("units", column.name)
    for column in reversed(_job_columns()):
        op.drop_column("jobs", column.name)


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _job_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("items_partial", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("frames_total", sa.BigInteger()),
        sa.Column("frames_done", sa.BigInteger()),
        sa.Column("seconds_total", sa.Double()),
        sa.Column("seconds_done", sa.Double()),
    ]


def _unit_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("kind", sa.Text(), nullable=False, server_default="images"),
        sa.Column("plan", Json),
        sa.Column("frames", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("seconds", sa.Double(), nullable=False, server_default="0"),
        sa.Column("frames_done", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("damage", sa.Text()),
    ]


def _item_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("frames_total", sa.Integer()),
        sa.Column("frames_done", sa.Integer()),
        sa.Column("frames_declared", sa.Integer()),
        sa.Column("seconds_total", sa.Double()),
        sa.Column("seconds_done", sa.Double()),
        sa.Column("warnings", Json),
        sa.Column("track_parameters", Json),
    ]


def _widen_items() -> None:
    # SQLite can't change a condition: there the table is copied.
    with op.batch_alter_table("items") as batch:
        for column in _item_columns():
            batch.add_column(column)
        batch.drop_constraint("items_state", type_="check")
        batch.create_check_constraint("items_state", ITEM_STATES)
    op.create_index(
        "items_video_in_work",
        "items",
        ["job_id", "item"],
        postgresql_where=sa.text(IN_WORK),
        sqlite_where=sa.text(IN_WORK),
    )


def _narrow_items() -> None:
    op.drop_index("items_video_in_work", "items")
    op.execute("update items set state = 'done' where state = 'partial'")
    with op.batch_alter_table("items") as batch:
        batch.drop_constraint("items_state", type_="check")
        batch.create_check_constraint("items_state", OLD_ITEM_STATES)
        for column in reversed(_item_columns()):
            batch.drop_column(column.name)


def _widen_detections() -> None:
    if _is_postgresql():
        _replace_track_id(sa.BigInteger())
    op.create_index(
        "detections_of_track",
        "detections",
        ["job_id", "item", "track_id", "pts_seconds", "label"],
        postgresql_where=sa.text(VIDEO_ROW),
        sqlite_where=sa.text(VIDEO_ROW),
    )


def _replace_track_id(kind: sa.types.TypeEngine[int]) -> None:
    # Changing the type would write the whole table anew, and nothing of revision 0001 has a track.
    op.drop_column("detections", "track_id")
    op.add_column("detections", sa.Column("track_id", kind))


def _chunk_frames() -> None:
    op.create_table(
        "chunk_frames",
        sa.Column("job_id", Identifier(), nullable=False),
        sa.Column("item", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chunk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("detections", sa.Integer(), nullable=False),
        sa.Column("first_frame", sa.Integer(), nullable=False),
        sa.Column("last_frame", sa.Integer(), nullable=False),
        sa.Column("first_seconds", sa.Double(), nullable=False),
        sa.Column("last_seconds", sa.Double(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        _of_job("chunk_frames"),
        sa.PrimaryKeyConstraint("job_id", "item", "chunk", name="chunk_frames_key"),
    )
    op.create_index(
        "chunk_frames_job_id_item_first_seconds",
        "chunk_frames",
        ["job_id", "item", "first_seconds"],
    )


def _tracks() -> None:
    op.create_table(
        "tracks",
        sa.Column("job_id", Identifier(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("first_seconds", sa.Double(), nullable=False),
        sa.Column("last_seconds", sa.Double(), nullable=False),
        sa.Column("first_frame", sa.Integer(), nullable=False),
        sa.Column("last_frame", sa.Integer(), nullable=False),
        sa.Column("detections", sa.Integer(), nullable=False),
        sa.Column("best_frame", sa.Integer(), nullable=False),
        sa.Column("best_seconds", sa.Double(), nullable=False),
        *(
            sa.Column(f"best_{edge}", sa.REAL(), nullable=False)
            for edge in ("x1", "y1", "x2", "y2")
        ),
        sa.Column("best_score", sa.REAL()),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("crop_offset", sa.BigInteger()),
        sa.Column("crop_length", sa.Integer()),
        _of_job("tracks"),
        sa.PrimaryKeyConstraint("job_id", "track_id", name="tracks_key"),
    )
    columns = ["job_id", "label", "track_id"]
    op.create_index("tracks_job_id_label_track_id", "tracks", columns)


def _derived_blobs() -> None:
    op.create_table(
        "derived_blobs",
        sa.Column("job_id", Identifier(), nullable=False),
        sa.Column("item", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("media_type", sa.Text(), nullable=False),
        _of_job("derived_blobs"),
        sa.PrimaryKeyConstraint("job_id", "item", "kind", name="derived_blobs_key"),
        sa.UniqueConstraint("blob_key", name="derived_blobs_blob_key_unique"),
    )


def _of_job(table: str) -> sa.ForeignKeyConstraint:
    name = f"{table}_job_id_reference"
    return sa.ForeignKeyConstraint(["job_id"], REFERENCE, name=name, ondelete="CASCADE")
