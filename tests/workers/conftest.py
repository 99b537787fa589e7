"""Settings of a service on each database, with a Redis of its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from workshop import settings_for

from vision.settings import Settings


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """For sockets: their path has at most 107 bytes, and pytest's folders alone can be longer."""
    with tempfile.TemporaryDirectory(prefix="vision-") as folder:
        yield Path(folder)


@pytest.fixture
def settings(tmp_path: Path, database_url: str, short_folder: Path) -> Settings:
    return settings_for(
        tmp_path / "data",
        database_url,
        broker_url=f"redis+socket://{short_folder}/redis.sock",
        tick_seconds=0.5,
        lease_seconds=5,
        log_level="DEBUG",
    )
