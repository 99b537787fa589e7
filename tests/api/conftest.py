"""One server per file of tests, on SQLite and local blobs, empty again before each test."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serving import Served, serving, settings_in

from vision.domain.job import DEFAULT_TENANT
from vision.engine.parts import Engine


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With small limits, so that tests can pass them. Its decode process starts but once."""
    folder: Path = tmp_path_factory.mktemp("service")
    limits = {"max_upload_bytes": 3_000_000, "max_files_per_request": 5, "max_assets_per_job": 10}
    with serving(settings_in(folder, **limits)) as running:
        yield running


@pytest.fixture
def served(shared: Served) -> Served:
    """The same server, emptied."""
    _erase_everything(shared.engine)
    return shared


@pytest.fixture
def client(served: Served) -> httpx.Client:
    return served.client


def _erase_everything(engine: Engine) -> None:
    while jobs := engine.jobs.page(DEFAULT_TENANT, limit=1000).items:
        for job in jobs:
            engine.jobs.delete(job.id)
    while assets := engine.assets.page(DEFAULT_TENANT, limit=1000).items:
        for asset in assets:
            for blob_key in engine.assets.delete(asset.id):
                engine.blobs.delete(blob_key)
