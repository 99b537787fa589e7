"""A workshop on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from workshop import Workshop, open_workshop, settings_for


@pytest.fixture
def workshop(tmp_path: Path, database_url: str) -> Iterator[Workshop]:
    with open_workshop(settings_for(tmp_path / "data", database_url)) as opened:
        yield opened
