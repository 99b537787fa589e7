"""What is said of whole pictures: embeddings and classifications, and their summary per item."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from vision.storage.columns import Identifier, Json

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OF_DETECTION = "detection_id is not null"


def upgrade() -> None:
    """Adds only: what is stored stays as it is."""
    for column in _item_columns():
        op.add_column("items", column)
    _embeddings()
    _classifications()


def downgrade() -> None:
    """Detections and tracks stay; vectors and names are lost."""
    for table in ("classifications", "embeddings"):
        op.drop_table(table)
    for column in reversed(_item_columns()):
        op.drop_column("items", column.name)


def _item_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("embeddings", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("classes", Json),
    ]


def _key_columns() -> list[sa.Column[Any]]:
    places = ("item", "chunk", "ord")
    return [
        sa.Column("job_id", Identifier(), nullable=False),
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in places),
        sa.Column("tenant", sa.Text(), nullable=False),
    ]


def _key(table: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("job_id", "item", "chunk", "ord", name=f"{table}_key")


def _embeddings() -> None:
    op.create_table(
        "embeddings",
        *_key_columns(),
        sa.Column("detection_id", sa.BigInteger()),
        sa.Column("frame_index", sa.Integer()),
        sa.Column("pts_seconds", sa.Double()),
        sa.Column("provenance_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("weights_sha256", sa.String(64), nullable=False),
        sa.Column("dimensions", sa.Integer(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        _key("embeddings"),
    )
    op.create_index(
        "embeddings_of_detection",
        "embeddings",
        ["tenant", "detection_id"],
        postgresql_where=sa.text(OF_DETECTION),
        sqlite_where=sa.text(OF_DETECTION),
    )


def _classifications() -> None:
    op.create_table(
        "classifications",
        *_key_columns(),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.REAL(), nullable=False),
        sa.Column("frame_index", sa.Integer()),
        sa.Column("first_frame", sa.Integer()),
        sa.Column("last_frame", sa.Integer()),
        sa.Column("from_seconds", sa.Double()),
        sa.Column("to_seconds", sa.Double()),
        sa.Column("provenance_id", sa.Integer()),
        _key("classifications"),
    )
