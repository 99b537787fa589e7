"""A workshop on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from video_workshop import open_spot_pipeline
from workshop import Workshop, open_workshop, settings_for


@pytest.fixture
def workshop(tmp_path: Path, database_url: str) -> Iterator[Workshop]:
    with open_workshop(settings_for(tmp_path / "data", database_url)) as opened:
        yield opened


@pytest.fixture
def cinema(tmp_path: Path, database_url: str) -> Iterator[Workshop]:
    """A workshop for clips, in chunks of 20 frames."""
    settings = settings_for(tmp_path / "data", database_url, chunk_frames=20)
    with open_workshop(settings, open_pipeline=open_spot_pipeline) as opened:
        yield opened
