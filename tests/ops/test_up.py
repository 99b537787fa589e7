"""`vision up`: the whole service, embedded profile, with real processes."""

import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest
from patience import PATIENCE_SECONDS, is_running, wait_until
from running import VISION, descendants, ended, running, service, submit

from vision.cli.service.listening import listen

pytestmark = pytest.mark.timeout(1800)
PARTS = ("main api", "main tick", "main worker", "redis-server")


def test_one_command_serves_alone_and_ctrl_c_drains(tmp_path: Path) -> None:
    data_dir = tmp_path / "a folder with ümlauts"
    with service(data_dir) as (up, url):
        second = refused_on(data_dir)
        job = ended(url, submit(url, pictures=3))
        started = descendants(up.process.pid)
        up.process.send_signal(signal.SIGINT)
        code = up.process.wait(PATIENCE_SECONDS)

    assert (job["state"], job["progress"]["done"]) == ("succeeded", 3)
    assert code == 0, up.says()
    assert all(any(part in line for line in started.values()) for part in PARTS)
    assert not [pid for pid in started if is_running(pid)]
    assert f"vision listens on {url}" in up.says()
    assert {log.stem for log in (data_dir / "logs").iterdir()} >= {"api", "worker", "redis"}
    assert f"`vision up` already runs on {data_dir} (process {up.process.pid})" in second


def refused_on(data_dir: Path) -> str:
    """What a second one says."""
    second = subprocess.run(
        [*VISION, "up", "--port", "0", "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    return second.stderr


def test_killed_parts_come_back_and_a_killed_service_leaves_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with service(data_dir, "--quiet") as (up, url):
        job = submit(url, pictures=2)
        for part in PARTS:
            started = descendants(up.process.pid)
            os.kill(min(pid for pid, line in started.items() if part in line), signal.SIGKILL)
        assert ended(url, job)["state"] == "succeeded"
        assert ended(url, submit(url, pictures=3))["state"] == "succeeded"
        started = descendants(up.process.pid)
        up.process.kill()
        up.process.wait()
        wait_until(lambda: not [pid for pid in started if is_running(pid)])

    with service(data_dir, "--quiet") as (up, url):
        kept = httpx.get(f"{url}/v1/jobs/{job['id']}").json()
        code = up.stop()
    assert kept["state"] == "succeeded"
    assert code == 0, up.says()


def test_a_folder_is_bell_enough_where_there_is_no_redis(tmp_path: Path) -> None:
    bell = {"VISION_BROKER_URL": f"filesystem://{tmp_path / 'bell'}"}
    with service(tmp_path / "data", **bell) as (up, url):
        job = ended(url, submit(url, pictures=1))
        started = descendants(up.process.pid)
        code = up.stop()

    assert job["state"] == "succeeded"
    assert not [line for line in started.values() if "redis-server" in line]
    assert code == 0, up.says()


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        words = ("up", "--port", str(port), "--data-dir", str(tmp_path / "data"))
        with running(tmp_path / "up.log", *words) as up:
            code = up.process.wait(PATIENCE_SECONDS)

    assert code == 1
    assert f"can't listen on 127.0.0.1 port {port}" in up.says()
    assert not (tmp_path / "data" / "vision.sqlite").exists()
