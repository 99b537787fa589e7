"""Settings of a service on each database, with a Redis of its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from workshop import settings_for

from vision.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Iterator[Settings]:
    # A socket's path has at most 107 bytes; pytest's folders alone can be longer.
    with tempfile.TemporaryDirectory(prefix="vision-") as short:
        yield settings_for(
            tmp_path / "data",
            database_url,
            broker_url=f"redis+socket://{short}/redis.sock",
            tick_seconds=0.5,
            lease_seconds=5,
        )
