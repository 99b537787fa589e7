"""Clients that take their time get none of ours."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Served, serving, settings_in

import api.body
from api.patience import ImpatientProtocol

HEAD = b"POST /v1/assets HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Waits half a second where the product waits half a minute."""
    monkeypatch.setattr(ImpatientProtocol, "head_seconds", 0.5)
    monkeypatch.setattr(api.body, "IDLE_SECONDS", 0.5)
    with serving(settings_in(tmp_path)) as served:
        yield served


def everything_from(served: Served, *, after: bytes) -> bytes:
    """What comes back until the other side closes; fails when it doesn't."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        connection.sendall(after)
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
        return received


def test_a_head_that_never_ends_is_cut_off(impatient: Served) -> None:
    assert everything_from(impatient, after=HEAD) == b""


def test_a_connection_that_says_nothing_is_cut_off(impatient: Served) -> None:
    assert everything_from(impatient, after=b"") == b""


def test_a_body_that_stops_is_answered_with_408(impatient: Served) -> None:
    answer = everything_from(impatient, after=HEAD + b"\r\nsome bytes")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in answer
    assert list(impatient.engine.blobs.staging.iterdir()) == []


def test_many_idle_connections_hold_up_nobody(impatient: Served) -> None:
    idle = [socket.create_connection(("127.0.0.1", impatient.port)) for _ in range(100)]
    for connection in idle:
        connection.sendall(HEAD)

    answer = impatient.client.get("/livez")

    for connection in idle:
        connection.close()
    assert answer.status_code == 200
