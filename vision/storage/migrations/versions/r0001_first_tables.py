"""The first tables: assets, jobs, items, units, detections, provenances, outbox."""

import sqlalchemy as sa
from alembic import op

from vision.storage.columns import Identifier, Json

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "assets",
    "detections",
    "doomed_blobs",
    "provenances",
    "tenants",
    "asset_tags",
    "jobs",
    "items",
    "job_counts",
    "job_provenances",
    "job_tags",
    "outbox",
    "units",
)


def upgrade() -> None:
    """Runs on SQLite and PostgreSQL."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.schema.CreateSequence(sa.Sequence("detection_blocks")))
    _assets()
    _detections()
    _doomed_blobs()
    _provenances()
    _tenants()
    _asset_tags()
    _jobs()
    _items()
    _job_counts()
    _job_provenances()
    _job_tags()
    _outbox()
    _units()


def downgrade() -> None:
    """Removes everything."""
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.schema.DropSequence(sa.Sequence("detection_blocks")))


def _assets() -> None:
    op.create_table(
        "assets",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="assets_key"),
        sa.UniqueConstraint("blob_key", name="assets_blob_key_unique"),
        sa.UniqueConstraint("tenant", "sha256", name="assets_tenant_sha256_unique"),
    )
    op.create_index("assets_tenant_id", "assets", ["tenant", "id"], unique=False)


def _detections() -> None:
    op.create_table(
        "detections",
        sa.Column("job_id", Identifier(), nullable=False),
        sa.Column("item", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chunk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ord", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.REAL()),
        sa.Column("x1", sa.REAL(), nullable=False),
        sa.Column("y1", sa.REAL(), nullable=False),
        sa.Column("x2", sa.REAL(), nullable=False),
        sa.Column("y2", sa.REAL(), nullable=False),
        sa.Column("predicted_iou", sa.REAL()),
        sa.Column("stability_score", sa.REAL()),
        sa.Column("frame_index", sa.Integer()),
        sa.Column("pts_seconds", sa.Double()),
        sa.Column("track_id", sa.Integer()),
        sa.Column("provenance_id", sa.Integer()),
        sa.Column("keypoints", sa.LargeBinary()),
        sa.Column("mask", sa.Text()),
        sa.PrimaryKeyConstraint("job_id", "item", "chunk", "ord", name="detections_key"),
    )
    op.create_index("detections_newest", "detections", ["tenant", "id", "score"], unique=False)
    op.create_index(
        "detections_newest_of_label", "detections", ["tenant", "label", "id", "score"], unique=False
    )


def _doomed_blobs() -> None:
    op.create_table(
        "doomed_blobs",
        sa.Column("blob_key", sa.Text(), nullable=False),
        sa.Column("doomed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("blob_key", name="doomed_blobs_key"),
    )


def _provenances() -> None:
    op.create_table(
        "provenances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="provenances_key"),
        sa.UniqueConstraint("digest", name="provenances_digest_unique"),
    )


def _tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="tenants_key"),
    )


def _asset_tags() -> None:
    op.create_table(
        "asset_tags",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("asset_id", Identifier(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["assets.id"], name="asset_tags_asset_id_reference", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant", "tag", "asset_id", name="asset_tags_key"),
    )
    op.create_index("asset_tags_asset_id", "asset_tags", ["asset_id"], unique=False)


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("pipeline", Json, nullable=False),
        sa.Column("pipeline_sha256", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("webhook", sa.Text()),
        sa.Column("items_total", sa.Integer(), nullable=False),
        sa.Column("items_done", sa.Integer(), nullable=False),
        sa.Column("items_failed", sa.Integer(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("finished_at", sa.Double()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_detail", sa.Text()),
        sa.Column("erasing", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "state in ('queued', 'running', 'succeeded', 'partial', 'failed', 'cancelled')",
            name="jobs_state",
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="jobs_tenant_reference"),
        sa.PrimaryKeyConstraint("id", name="jobs_key"),
        sa.UniqueConstraint("tenant", "idempotency_key", name="jobs_tenant_idempotency_key_unique"),
    )
    op.create_index(
        "jobs_erasing",
        "jobs",
        ["id"],
        unique=False,
        postgresql_where=sa.text("erasing"),
        sqlite_where=sa.text("erasing"),
    )
    op.create_index(
        "jobs_open",
        "jobs",
        ["id"],
        unique=False,
        postgresql_where=sa.text("finished_at is null"),
        sqlite_where=sa.text("finished_at is null"),
    )
    op.create_index("jobs_tenant_id", "jobs", ["tenant", "id"], unique=False)
    op.create_index("jobs_tenant_state_id", "jobs", ["tenant", "state", "id"], unique=False)


def _items() -> None:
    op.create_table(
        "items",
        sa.Column("job_id", Identifier(), nullable=False),
        sa.Column("item", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("asset_id", Identifier(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_detail", sa.Text()),
        sa.Column("facts", Json, nullable=False),
        sa.Column("detections", sa.Integer(), nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.Column("provenance_id", sa.Integer()),
        sa.CheckConstraint(
            "state in ('pending', 'done', 'failed', 'cancelled')", name="items_state"
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], name="items_asset_id_reference"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="items_job_id_reference", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["provenance_id"], ["provenances.id"], name="items_provenance_id_reference"
        ),
        sa.PrimaryKeyConstraint("job_id", "item", name="items_key"),
        sa.UniqueConstraint("job_id", "asset_id", name="items_job_id_asset_id_unique"),
    )
    op.create_index("items_asset_id", "items", ["asset_id"], unique=False)


def _job_counts() -> None:
    op.create_table(
        "job_counts",
        sa.Column("job_id", Identifier(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("detections", sa.BigInteger(), nullable=False),
        sa.Column("item_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="job_counts_job_id_reference", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "label", name="job_counts_key"),
    )


def _job_provenances() -> None:
    op.create_table(
        "job_provenances",
        sa.Column("job_id", Identifier(), nullable=False),
        sa.Column("provenance_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="job_provenances_job_id_reference", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["provenance_id"], ["provenances.id"], name="job_provenances_provenance_id_reference"
        ),
        sa.PrimaryKeyConstraint("job_id", "provenance_id", name="job_provenances_key"),
    )


def _job_tags() -> None:
    op.create_table(
        "job_tags",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("job_id", Identifier(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="job_tags_job_id_reference", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant", "tag", "job_id", name="job_tags_key"),
    )
    op.create_index("job_tags_job_id", "job_tags", ["job_id"], unique=False)


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("job_id", Identifier(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.Column("delivered_at", sa.Double()),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="outbox_job_id_reference", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="outbox_key"),
        sa.UniqueConstraint("job_id", "event", "run", name="outbox_job_id_event_run_unique"),
    )


def _units() -> None:
    op.create_table(
        "units",
        sa.Column("job_id", Identifier(), nullable=False),
        sa.Column("item", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chunk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fails", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.Double(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.Double()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_detail", sa.Text()),
        sa.CheckConstraint(
            "state in ('waiting', 'ready', 'leased', 'done', 'failed', 'quarantined', 'cancelled')",
            name="units_state",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="units_job_id_reference", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "item", "chunk", name="units_key"),
    )
    op.create_index(
        "units_leased",
        "units",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state = 'leased'"),
        sqlite_where=sa.text("state = 'leased'"),
    )
    op.create_index(
        "units_leased_of",
        "units",
        ["tenant"],
        unique=False,
        postgresql_where=sa.text("state = 'leased'"),
        sqlite_where=sa.text("state = 'leased'"),
    )
    op.create_index(
        "units_open",
        "units",
        ["tenant", "job_id"],
        unique=False,
        postgresql_where=sa.text("state in ('waiting', 'ready', 'leased')"),
        sqlite_where=sa.text("state in ('waiting', 'ready', 'leased')"),
    )
    op.create_index(
        "units_quarantined",
        "units",
        ["job_id"],
        unique=False,
        postgresql_where=sa.text("state = 'quarantined'"),
        sqlite_where=sa.text("state = 'quarantined'"),
    )
    op.create_index(
        "units_ready",
        "units",
        ["tenant", "priority", "job_id", "item", "chunk", "not_before"],
        unique=False,
        postgresql_where=sa.text("state = 'ready'"),
        sqlite_where=sa.text("state = 'ready'"),
    )
    op.create_index(
        "units_ready_since",
        "units",
        ["not_before"],
        unique=False,
        postgresql_where=sa.text("state = 'ready'"),
        sqlite_where=sa.text("state = 'ready'"),
    )
