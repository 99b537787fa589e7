"""`vision api`: the REST service on its own."""

import signal
import socket
from typing import Annotated

import typer
import uvicorn

from vision.cli.configuration import read_settings
from vision.cli.output import notes
from vision.cli.service.listening import address_of, listen, url_of
from vision.logs import configure_logs
from vision.settings import Settings

APP = "api.app:create_app"
"""By name: nothing in `vision` may import what stands on it."""


def api(
    host: Annotated[str | None, typer.Option(help="Where to listen.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes any free port.")] = None,
    fd: Annotated[int | None, typer.Option(hidden=True, help="A listening socket.")] = None,
) -> None:
    """The REST service on its own, until SIGTERM."""
    settings = read_settings(host=host, port=port)
    configure_logs(settings.log_level)
    with socket.socket(fileno=fd) if fd else listen(settings.host, settings.port) as listener:
        if fd is None:
            notes().print(f"listening on {url_of(address_of(listener))}")
        _serve(listener, settings)


def _serve(listener: socket.socket, settings: Settings) -> None:
    config = uvicorn.Config(
        APP,
        factory=True,
        # Uvicorn's own waits for ever for the end of a request's head. By name, like the app.
        http="api.patience:ImpatientProtocol",
        # The app writes its own line per request, as JSON.
        access_log=False,
        log_config=None,
        server_header=False,
        # Who the caller is must not be up to the caller.
        proxy_headers=False,
        timeout_graceful_shutdown=round(settings.drain_seconds),
    )
    # Uvicorn drains, then raises the signal once more: that one is to find nothing left to do.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _already_drained)
    uvicorn.Server(config).run(sockets=[listener])


def _already_drained(_signal: int, _frame: object) -> None:
    return
