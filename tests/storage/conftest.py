"""Storage tests get all stores at once, on both databases."""

import pytest
from storage_service import Service
from video_service import VideoService

from vision.storage.database import Database


@pytest.fixture
def service(database: Database) -> Service:
    return Service.over(database)


@pytest.fixture
def videos(database: Database) -> VideoService:
    return VideoService.over(database)
