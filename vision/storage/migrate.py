"""Brings a database to the newest schema; safe when several processes do it at once."""

from vision.storage.database import Database


def migrate(database: Database) -> None:
    """To the newest revision; does nothing when it is there already."""
    raise NotImplementedError


def is_current(database: Database) -> bool:
    """Whether the schema is the one that this code was written for."""
    raise NotImplementedError
