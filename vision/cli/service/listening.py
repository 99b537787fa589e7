"""The API's socket: bound before the API starts, so that it outlives a restart."""

import http.client
import socket
from http import HTTPStatus

from vision.errors import OperatorError

BACKLOG = 2048
ASK_SECONDS = 2.0
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared with, not bound to)
"""Listening everywhere isn't an address that can be asked."""


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes any free one. Raises OperatorError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OperatorError(f"can't listen on {host} port {port}: {reason}") from error


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Host and port at which someone on this machine reaches it."""
    host, port = listener.getsockname()[:2]
    return ANY_ADDRESS.get(host, host), port


def url_of(address: tuple[str, int]) -> str:
    """Of the API at this host and port."""
    host, port = address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_ready(address: tuple[str, int]) -> bool:
    """Whether /readyz answers 200 there."""
    connection = http.client.HTTPConnection(*address, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
