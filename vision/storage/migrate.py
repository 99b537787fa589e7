"""Brings a database to the newest schema; safe when several processes do it at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from vision.storage.database import Database

SCRIPTS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 7_303_014_520
"""PostgreSQL's advisory lock for migrations: any number that nothing else uses."""


def migrate(database: Database) -> None:
    """To the newest revision, in one transaction; does nothing when it is there already.

    Whoever comes second waits for the first. Raises StorageUnavailable.
    """
    with database.begin() as connection:
        if database.is_postgresql:
            connection.execute(text("set local statement_timeout = 0; set local lock_timeout = 0"))
            connection.execute(text(f"select pg_advisory_xact_lock({MIGRATION_LOCK})"))
        command.upgrade(config(connection), "head")


def is_current(database: Database) -> bool:
    """Whether the schema is the one that this code was written for. Raises StorageUnavailable."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        found = MigrationContext.configure(connection).get_current_heads()
    return set(found) == set(ScriptDirectory(str(SCRIPTS)).get_heads())


def config(connection: Connection) -> Config:
    """Alembic's configuration for a connection in a transaction: there is no alembic.ini."""
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made
