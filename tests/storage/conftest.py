"""Storage tests get all stores at once, on both databases."""

import pytest
from storage_service import Service
from video_service import VideoService

from vision.storage.classifications import ClassificationStore
from vision.storage.database import Database
from vision.storage.embeddings import EmbeddingStore


@pytest.fixture
def service(database: Database) -> Service:
    return Service.over(database)


@pytest.fixture
def videos(database: Database) -> VideoService:
    return VideoService.over(database)


@pytest.fixture
def embeddings(database: Database) -> EmbeddingStore:
    return EmbeddingStore(database)


@pytest.fixture
def classes(database: Database) -> ClassificationStore:
    return ClassificationStore(database)
