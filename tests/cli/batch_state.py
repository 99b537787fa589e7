"""What a batch on this machine has in its database."""

import sqlite3
from contextlib import closing
from pathlib import Path


def rows(out: Path, query: str) -> list[tuple[object, ...]]:
    """None while there are no tables yet."""
    path = out / ".vision" / "state.sqlite"
    if not path.is_file():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:  # no tables yet
            return []
