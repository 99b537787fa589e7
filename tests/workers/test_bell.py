"""The bell rings without anybody waiting, whatever Redis does."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from processes import Program, redis_client, redis_server, wait_for_redis
from workshop import settings_for

from vision.settings import Settings
from workers.celery_app import QUEUE
from workers.queue import Bell

KEY = f"vis:{QUEUE}"


@pytest.fixture
def settings(tmp_path: Path, short_folder: Path) -> Settings:
    url = f"redis+socket://{short_folder}/redis.sock"
    return settings_for(tmp_path, "sqlite://", broker_url=url)


@pytest.fixture
def server(settings: Settings, tmp_path: Path, short_folder: Path) -> Iterator[Program]:
    options = ("--port", "0", "--save", "", "--unixsocket", f"{short_folder}/redis.sock")
    program = Program((redis_server(), *options), tmp_path / "redis.log")
    program.start()
    wait_for_redis(settings)
    yield program
    program.end()


def url_of(settings: Settings) -> str:
    assert settings.broker_url is not None
    return settings.broker_url.get_secret_value()


def waiting(settings: Settings) -> int:
    client: redis.Redis = redis_client(settings)
    return int(client.llen(KEY))  # type: ignore[arg-type]


def test_as_many_bells_wait_as_were_asked_for(settings: Settings, server: Program) -> None:
    with Bell(url_of(settings)) as bell:
        bell.ring(3)

    assert waiting(settings) == 3


def test_bells_that_nobody_hears_do_not_pile_up(settings: Settings, server: Program) -> None:
    for _ in range(5):
        with Bell(url_of(settings)) as bell:
            bell.ring(2)

    assert waiting(settings) == 2


def test_a_bell_carries_nothing(settings: Settings, server: Program) -> None:
    with Bell(url_of(settings)) as bell:
        bell.ring()

    (message,) = redis_client(settings).lrange(KEY, 0, -1)  # type: ignore[misc]
    assert b'"argsrepr": "()"' in message
    assert b'"kwargsrepr": "{}"' in message
    assert b'"expires": null' in message


def test_a_bell_rung_after_redis_came_back_is_heard(settings: Settings, server: Program) -> None:
    bell = Bell(url_of(settings))
    server.kill()
    bell.ring()
    server.start()
    wait_for_redis(settings)
    bell.ring(2)
    bell.close(timeout_seconds=30)

    assert waiting(settings) == 2


@pytest.mark.parametrize("trouble", [signal.SIGSTOP, signal.SIGKILL], ids=["hung", "dead"])
def test_whoever_rings_never_waits_for_redis(
    settings: Settings, server: Program, trouble: signal.Signals
) -> None:
    bell = Bell(url_of(settings))
    assert server.process is not None
    server.process.send_signal(trouble)

    for _ in range(1000):
        bell.ring()
    bell.close(timeout_seconds=0.2)


def test_a_folder_is_a_broker_too(tmp_path: Path) -> None:
    with Bell(f"filesystem://{tmp_path}/bell") as bell:
        bell.ring(2)

    assert len(list((tmp_path / "bell" / "bells").iterdir())) == 2
