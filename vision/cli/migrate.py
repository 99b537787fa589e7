"""`vision migrate`: the database to the newest schema."""

from contextlib import closing

from vision.cli.configuration import read_settings
from vision.cli.output import out
from vision.engine.parts import database_url
from vision.storage import migrate as migration
from vision.storage.database import Database


def migrate() -> None:
    """Bring the database to the newest schema; safe at any time, also twice at once."""
    with closing(Database(database_url(read_settings()))) as database:
        migration.migrate(database)
    out().print("the database is up to date")
