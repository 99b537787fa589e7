"""One server per test, on SQLite and local blobs."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serving import Served, serving, settings_in


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """With small limits, so that tests can pass them."""
    limits = {"max_upload_bytes": 3_000_000, "max_files_per_request": 5, "max_assets_per_job": 10}
    with serving(settings_in(tmp_path / "data", **limits)) as running:
        yield running


@pytest.fixture
def client(served: Served) -> httpx.Client:
    return served.client
