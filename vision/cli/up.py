"""`vision up`: the whole service on this machine, until Ctrl-C."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from vision.cli import exits
from vision.cli.configuration import read_settings
from vision.cli.output import notes
from vision.cli.service.announcement import Announcement
from vision.cli.service.data_folder import held
from vision.cli.service.listening import listen
from vision.cli.service.part import Part, tied_argv
from vision.cli.service.part_output import PartOutput
from vision.cli.service.redis_server import find_redis_server, redis_part, socket_path, socket_url
from vision.cli.service.supervisor import StopRequests, Supervisor
from vision.errors import OperatorError
from vision.settings import Settings

LAST_WORDS_SECONDS = 5.0
"""On top of the drain: for a worker that used all of it to give its work back."""
VISION = (sys.executable, "-m", "vision.cli.main")


def up(
    host: Annotated[str | None, typer.Option(help="Where the API listens.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes any free port.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Everything the service keeps.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log to files only.")] = False,
) -> None:
    """The whole service on this machine; Ctrl-C drains."""
    settings = read_settings(host=host, port=port, data_dir=data_dir)
    data = settings.data_dir.absolute()
    with (
        held(data) as run_dir,
        closing(PartOutput(data / "logs", is_quiet=quiet)) as output,
        _bell(settings, run_dir) as bell,
        listen(settings.host, settings.port) as listener,
    ):
        environment = {"VISION_DATA_DIR": str(data), **bell.environment}
        _migrate(environment)
        parts = [*bell.parts, *_service(environment, listener)]
        drain_seconds = settings.drain_seconds + LAST_WORDS_SECONDS
        supervisor = Supervisor(parts, show=output.show, drain_seconds=drain_seconds)
        has_drained = _run(supervisor, listener=listener, run_dir=run_dir)
    raise typer.Exit(exits.DONE if has_drained else exits.FAILED)


@dataclass(frozen=True, slots=True)
class Bell:
    """What the service needs for waking its worker."""

    parts: tuple[Part, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def _bell(settings: Settings, run_dir: Path) -> Iterator[Bell]:
    """The broker that is set, else a Redis of our own, else a folder that workers look into."""
    server = None if settings.broker_url else find_redis_server()
    if server is None:
        if not settings.broker_url:
            notes().print("no Redis here: the worker watches a folder instead (`vision doctor`)")
        yield Bell()
        return
    with socket_path(run_dir) as path:
        yield Bell((redis_part(server, path),), {"VISION_BROKER_URL": socket_url(path)})


def _migrate(environment: Mapping[str, str]) -> None:
    """In a process of its own: the supervisor stays small."""
    part = Part("migrate", (*VISION, "migrate"), environment)
    done = subprocess.run(tied_argv(part.argv), env=part.full_environment(), stdout=sys.stderr)
    if done.returncode:
        raise OperatorError("the database can't be brought up to date; nothing was started")


def _service(environment: Mapping[str, str], listener: socket.socket) -> tuple[Part, ...]:
    fd = listener.fileno()
    return (
        Part("worker", (*VISION, "worker"), environment),
        Part("tick", (*VISION, "tick"), environment),
        Part("api", (*VISION, "api", "--fd", str(fd)), environment, fds=(fd,)),
    )


def _run(supervisor: Supervisor, *, listener: socket.socket, run_dir: Path) -> bool:
    """Until it is told to stop; True when all parts then drained."""
    stop = StopRequests()
    announcement = Announcement(listener, run_dir)
    with stop.listening(), announcement, supervisor:
        supervisor.watch(stop, has_served=announcement.is_made)
        # Ours would go on taking connections that nobody answers.
        listener.close()
        notes().print("draining; once more ends it at once")
        return supervisor.drain(stop)
