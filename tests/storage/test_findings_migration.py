"""From revision 0002 on: what was stored without vectors and names lives on, and gets some."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from databases import PostgresServer
from made_findings import all_pages, images_of
from sqlalchemy import inspect, text
from storage_service import result_of
from video_service import VideoService, chunk_of

from vision.domain.states import JobState, UnitKind
from vision.domain.stored import DetectionFilter, TrackFilter
from vision.domain.stored_findings import ClassificationFilter, EmbeddingFilter
from vision.storage.classifications import ClassificationStore
from vision.storage.database import Database
from vision.storage.embeddings import EmbeddingStore
from vision.storage.migrate import config, migrate


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Migrated, and thrown away afterwards whatever became of its schema."""
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.execute("drop database if exists old with (force)")
        server.execute("create database old")
        url = server.url("old")
    with closing(Database(url)) as database:
        migrate(database)
        yield database


def test_jobs_of_the_second_revision_live_on_and_go_on(opened: Database) -> None:
    """A job of images half way, a film whose tracks are there, another in the middle."""
    service = VideoService.over(opened)
    images = service.job(40)
    assert service.units.commit(result_of(service.claim_one()))
    held = service.claim_one()
    film = service.video_job()
    service.run()
    open_film = service.video_job(prefix="open")
    first, second, third = service.probed()
    service.units.commit(chunk_of(first))
    service.units.release(second)
    _go_back(opened, "0002")
    before = _columns(opened, "items")

    migrate(opened)

    service.units.commit(images_of(held))
    service.units.commit(chunk_of(third))
    service.run()
    states = [service.jobs.get(one.id).state for one in (images, film, open_film)]
    old, *_, new = service.jobs.items(images.id, limit=99).items
    found = list(service.detections.stream(DetectionFilter(job_id=images.id)))
    assert before.isdisjoint({"embeddings", "classes"})
    assert states == [JobState.SUCCEEDED] * 3
    assert (len(found), service.rows(film.id), service.rows(open_film.id)) == (80, 30, 30)
    assert len(list(service.tracks.stream(TrackFilter(film.id)))) == 2
    assert ((old.embeddings, old.classes), new.embeddings) == ((0, None), 3)
    assert len(all_pages(EmbeddingStore(opened), EmbeddingFilter(images.id))) == 24
    assert len(all_pages(ClassificationStore(opened), ClassificationFilter(images.id))) == 16


def test_the_way_back_loses_vectors_and_names_only(opened: Database) -> None:
    service = VideoService.over(opened)
    job = service.job(2)
    assert service.units.commit(images_of(service.claim_one()))
    film = service.video_job()
    service.probed(1)

    _go_back(opened, "0002")
    with opened.read() as connection:
        tables = set(inspect(connection).get_table_names())
    migrate(opened)

    assert tables.isdisjoint({"embeddings", "classifications"})
    assert service.rows(job.id) == 4
    assert all_pages(EmbeddingStore(opened), EmbeddingFilter(job.id)) == []
    assert service.jobs.items(job.id, limit=9).items[0].embeddings == 0
    with opened.read() as connection:
        kinds = set(connection.execute(text("select kind from units")).scalars())
    assert kinds == {"images", "probe", "chunk", UnitKind.TRACK.value}
    assert service.jobs.get(film.id).state is JobState.RUNNING


def _go_back(database: Database, revision: str) -> None:
    with database.begin() as connection:
        command.downgrade(config(connection), revision)


def _columns(database: Database, table: str) -> set[str]:
    with database.read() as connection:
        return {str(one["name"]) for one in inspect(connection).get_columns(table)}
