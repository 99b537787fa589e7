"""Alembic starts here. The connection comes from `vision/storage/migrate.py`, in a transaction."""

from alembic import context

from vision.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
