"""Production's parts started one by one: Redis, PostgreSQL, API, two workers, tick."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from databases import PostgresServer
from patience import PATIENCE_SECONDS, wait_until
from running import Running, ended, running, submit

from vision.cli.service.part import tied_argv
from vision.cli.service.redis_server import find_redis_server, redis_part, socket_path, socket_url

pytestmark = pytest.mark.timeout(1800)
PICTURES = 40
"""More than one unit's worth."""


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    server = find_redis_server()
    if server is None:
        pytest.skip("no Redis here")
    with socket_path(tmp_path) as socket:
        argv = tied_argv(redis_part(server, socket).argv)
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
            wait_until(socket.exists)
            yield socket_url(socket)
            process.terminate()


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> str:
    """Nothing in it yet."""
    postgres_server.execute("create database by_hand")
    return postgres_server.url("by_hand")


def test_the_parts_by_hand_do_a_job_and_end_cleanly(
    tmp_path: Path, empty_database_url: str, redis_url: str
) -> None:
    settings = {
        "VISION_DATABASE_URL": empty_database_url,
        "VISION_BROKER_URL": redis_url,
        "VISION_DATA_DIR": str(tmp_path / "data"),
    }
    alive = tmp_path / "alive"
    with ExitStack() as stack:

        def start(name: str, *words: str) -> Running:
            return stack.enter_context(running(tmp_path / f"{name}.log", *words, **settings))

        migration = start("migrate", "migrate")
        assert migration.process.wait(PATIENCE_SECONDS) == 0, migration.says()
        api = start("api", "api", "--port", "0")
        workers = [start(f"worker-{number}", "worker") for number in (1, 2)]
        tick = start("tick", "tick", "--alive-file", str(alive))
        url = _url(api)
        wait_until(lambda: _is_ready(url))

        job = ended(url, submit(url, pictures=PICTURES))
        counts = httpx.get(f"{url}/v1/jobs/{job['id']}/items", params={"limit": PICTURES}).json()
        wait_until(lambda: alive.exists())
        codes = {part.log.stem: part.stop() for part in (*workers, tick, api)}

    assert (job["state"], job["progress"]["done"]) == ("succeeded", PICTURES)
    assert {item["state"] for item in counts["items"]} == {"done"}
    assert codes == {"worker-1": 0, "worker-2": 0, "tick": 0, "api": 0}


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    settings = {"VISION_DATA_DIR": str(tmp_path / "data")}
    for _ in range(2):
        with running(tmp_path / "migrate.log", "migrate", **settings) as migration:
            assert migration.process.wait(PATIENCE_SECONDS) == 0, migration.says()


def test_an_unreachable_database_is_a_sentence_not_a_traceback(tmp_path: Path) -> None:
    settings = {"VISION_DATABASE_URL": "postgresql://vision:hunter2@127.0.0.1:1/vision"}
    with running(tmp_path / "migrate.log", "migrate", **settings) as migration:
        code = migration.process.wait(PATIENCE_SECONDS)

    assert code == 1
    assert migration.says().startswith("error: the database")
    assert "Traceback" not in migration.says()
    assert "hunter2" not in migration.says()


def _url(api: Running) -> str:
    wait_until(lambda: "listening on" in api.says())
    found = re.search(r"listening on (\S+)", api.says())
    assert found
    return found[1]


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        return False
