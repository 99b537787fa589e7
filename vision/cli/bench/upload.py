"""Uploading a large file: hashed, checked and durable, against a server that only reads it."""

import os
import shutil
import struct
import subprocess
import sys
import tempfile
from http import HTTPStatus
from pathlib import Path

from vision.cli.bench.measure import Figure, at_least, at_most, interleaved
from vision.cli.bench.servers import Server, serving
from vision.errors import OperatorError

MIB = 1024 * 1024
SIDE = 18_944
"""Pixels a side of a 24-bit bitmap: 1.08 GB."""
WARM_UP_SIDE = 1_024
TARGET = 0.7
MAX_GROWTH_MIB = 2.0
ROUNDS = 3
VISION_API = ("-m", "vision.cli.main", "api")
BARE = (
    "-m",
    "uvicorn",
    "vision.cli.bench.bare_asgi:app",
    "--no-access-log",
    "--log-level",
    "error",
)


def run() -> list[Figure]:
    """Throughput, and what the API's memory grew by meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "VISION_DATA_DIR": str(Path(folder) / "data"),
            "VISION_MAX_IMAGE_PIXELS": str(SIDE * SIDE),
        }
        _migrate(environment)
        bitmap = Path(folder) / "large.bmp"
        with (
            serving(VISION_API, ready_path="/readyz", environment=environment) as ours,
            serving(BARE, ready_path="/") as bare,
        ):
            return _figures(ours, bare, bitmap)


def _figures(ours: Server, bare: Server, bitmap: Path) -> list[Figure]:
    write_bitmap(bitmap, side=WARM_UP_SIDE, seed=0)
    _send(ours, "/v1/assets", bitmap)
    resident = ours.forget_peak()
    seeds = iter(range(1, 100))
    seconds = interleaved(
        {
            # Another byte each time: the same bytes again would be the same asset.
            "make": lambda: write_bitmap(bitmap, side=SIDE, seed=next(seeds)),
            "ours": lambda: _send(ours, "/v1/assets", bitmap),
            "bare": lambda: _send(bare, "/", bitmap),
            "copy": lambda: _copy(bitmap),
        },
        rounds=ROUNDS,
    )
    size_mb = bitmap.stat().st_size / 1e6
    grown_mib = (ours.peak_bytes() - resident) / MIB
    return [
        at_least(
            f"Upload of {size_mb / 1000:.2f} GB, hashed and durable",
            ours=f"{size_mb / seconds['ours']:,.0f} MB/s",
            reference=f"bare ASGI, read and forgotten: {size_mb / seconds['bare']:,.0f} MB/s",
            ratio=seconds["bare"] / seconds["ours"],
            target=TARGET,
        ),
        at_least(
            "The same upload against the disk alone",
            ours=f"{size_mb / seconds['ours']:,.0f} MB/s",
            reference=f"a copy, synced: {size_mb / seconds['copy']:,.0f} MB/s",
            ratio=seconds["copy"] / seconds["ours"],
            target=TARGET,
        ),
        at_most(
            "API memory growth meanwhile, MiB",
            ours=f"{grown_mib:.2f} MiB",
            reference="",
            ratio=grown_mib,
            target=MAX_GROWTH_MIB,
        ),
    ]


def _send(server: Server, path: str, file: Path) -> None:
    """By sendfile: a real client's processor isn't the server's, this one's is."""
    connection = server.connect()
    connection.putrequest("POST", path)
    connection.putheader("Content-Length", str(file.stat().st_size))
    connection.endheaders()
    with file.open("rb") as body:
        connection.sock.sendfile(body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
        raise OperatorError(f"the upload was answered {answer.status}")


def _copy(file: Path) -> None:
    """What no durable upload can be quicker than: on some machines that is below the network."""
    copied = file.with_suffix(".copy")
    with file.open("rb") as source, copied.open("wb") as target:
        shutil.copyfileobj(source, target, MIB)
        os.fsync(target.fileno())
    copied.unlink()


def write_bitmap(path: Path, *, side: int, seed: int) -> None:
    """A black 24-bit Windows bitmap with `seed` in its first pixel; sparse on disk."""
    header_bytes = 54
    row_bytes = -(-side * 3 // 4) * 4
    size_bytes = header_bytes + row_bytes * side
    file_header = struct.pack("<2sIHHI", b"BM", size_bytes, 0, 0, header_bytes)
    picture_header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 2835, 2835, 0, 0)
    with path.open("wb") as file:
        file.write(file_header + picture_header + bytes([seed]))
        file.truncate(size_bytes)
    # Into the page cache: else the first server to be asked would pay for that alone.
    with path.open("rb", buffering=0) as file:
        while file.read(MIB):
            pass


def _migrate(environment: dict[str, str]) -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "vision.cli.main", "migrate"],
        env={**os.environ, **environment},
        capture_output=True,
    )
    if completed.returncode:
        raise OperatorError("the database of the measurement can't be made")
