"""The API killed with SIGKILL again and again: what it acknowledged is there."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
from pictures import picture
from serving import eventually, settings_in
from work import work

from vision.domain.job import DEFAULT_TENANT
from vision.engine.parts import open_engine

KILLS = 4
CLIENTS = 3
PROGRAM = (
    "import sys, uvicorn; uvicorn.run('api.app:create_app', factory=True, "
    "host='127.0.0.1', port=int(sys.argv[1]), log_level='error')"
)


@dataclass
class Acknowledged:
    """What clients were told."""

    assets: dict[str, str] = field(default_factory=dict)
    """Hash by id."""
    jobs: dict[str, str] = field(default_factory=dict)
    """Job id by idempotency key."""


def test_nothing_acknowledged_is_lost(database_url: str, tmp_path: Path) -> None:
    told = Acknowledged()
    stop = threading.Event()
    port = _free_port()
    clients = [
        threading.Thread(target=_upload_and_submit, args=(port, number, told, stop))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    try:
        _serve_and_kill(port, database_url, tmp_path, told)
    finally:
        stop.set()
        for client in clients:
            client.join()

    _require_all_there(database_url, tmp_path, told)
    assert len(told.jobs) >= KILLS


def _serve_and_kill(port: int, database_url: str, folder: Path, told: Acknowledged) -> None:
    """Each life ends soon after it did some work."""
    for life in range(KILLS):
        before = len(told.jobs)
        with _api(port, database_url, folder) as process:
            eventually(partial(_is_more_than, told, before))
            time.sleep(0.02 * life)
            process.send_signal(signal.SIGKILL)


def _upload_and_submit(port: int, number: int, told: Acknowledged, stop: threading.Event) -> None:
    """Until told to stop; a request that got no answer is asked again."""
    count = 0
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client:
        while not stop.is_set():
            count += 1
            key = f"{number}-{count}"
            body = picture(seed=1000 * number + count)
            asset = _asked(client, "/v1/assets", stop, content=body)
            if asset is None:
                continue
            told.assets[asset["id"]] = asset["sha256"]
            request = {"asset_ids": [asset["id"]], "pipeline": "demo"}
            headers = {"Idempotency-Key": key}
            job = _asked(client, "/v1/jobs", stop, json=request, headers=headers)
            if job is not None:
                assert told.jobs.setdefault(key, job["id"]) == job["id"]


def _asked(
    client: httpx.Client, path: str, stop: threading.Event, **request: object
) -> dict[str, str] | None:
    while not stop.is_set():
        try:
            answer = client.post(path, **request)  # type: ignore[arg-type]
        except httpx.TransportError:
            time.sleep(0.02)
            continue
        if answer.is_success:
            document: dict[str, str] = answer.json()
            return document
        time.sleep(0.02)
    return None


def _require_all_there(database_url: str, folder: Path, told: Acknowledged) -> None:
    with open_engine(settings_in(folder, database_url=database_url)) as engine:
        for asset_id, sha256 in told.assets.items():
            page = engine.assets.page(DEFAULT_TENANT, limit=1000)
            asset = next(one for one in page.items if str(one.id) == asset_id)
            assert asset.sha256 == sha256
            assert engine.blobs.size(asset.blob_key) == asset.size_bytes
        work(engine)
        jobs = engine.jobs.page(DEFAULT_TENANT, limit=1000).items
        assert {str(job.id) for job in jobs} >= set(told.jobs.values())
        assert {job.state for job in jobs} == {"succeeded"}
        keys = len({job.id for job in jobs})
        # A job whose answer was lost in a kill was asked for again with its key: no second one.
        assert keys <= len(told.jobs) + CLIENTS


@contextmanager
def _api(port: int, database_url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {
        "VISION_DATA_DIR": str(folder),
        "VISION_DATABASE_URL": database_url,
    }
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(port)], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def _is_more_than(told: Acknowledged, before: int) -> bool:
    return len(told.jobs) > before
