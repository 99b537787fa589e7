"""`vision up`: the whole service, embedded profile, with real processes."""

import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest
from patience import is_running, wait_until
from running import VISION, ended, pids_of, running, service, submit

pytestmark = pytest.mark.timeout(600)


def test_one_command_serves_and_ctrl_c_drains(tmp_path: Path) -> None:
    data_dir = tmp_path / "a folder with ümlauts"
    with service(data_dir) as (up, url):
        job = ended(url, submit(url, pictures=3))
        pids = pids_of(data_dir)
        up.process.send_signal(signal.SIGINT)
        code = up.process.wait(120)

    assert (job["state"], job["progress"]["done"]) == ("succeeded", 3)
    assert code == 0, up.says()
    assert len(pids) >= 5, "Redis, worker, its child, tick, API"
    assert not [pid for pid in pids if is_running(pid)]
    assert f"vision listens on {url}" in up.says()
    assert {log.stem for log in (data_dir / "logs").iterdir()} >= {"api", "worker", "tick", "redis"}


def test_a_second_one_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with service(tmp_path / "data", "--quiet") as (up, url):
        second = subprocess.run(
            [*VISION, "up", "--port", "0", "--data-dir", str(tmp_path / "data")],
            capture_output=True,
            text=True,
            check=False,
        )
        still_answers = httpx.get(f"{url}/livez").is_success

    assert second.returncode == 1
    assert f"`vision up` already runs on {tmp_path / 'data'}" in second.stderr
    assert f"(process {up.process.pid})" in second.stderr
    assert still_answers


def test_killed_parts_come_back_and_a_killed_service_leaves_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with service(data_dir) as (up, url):
        first = submit(url, pictures=2)
        parts = ("main api", "main tick", "--app workers.tasks", "redis-server")
        for part in parts:
            killed = min(pid for pid, line in pids_of(data_dir).items() if part in line)
            os.kill(killed, signal.SIGKILL)
        assert ended(url, first)["state"] == "succeeded"
        second = submit(url, pictures=2)
        assert ended(url, second)["state"] == "succeeded"
        survivors = pids_of(data_dir)
        up.process.kill()
        up.process.wait()
        wait_until(lambda: not [pid for pid in survivors if is_running(pid)])

    with service(data_dir) as (up, url):
        kept = httpx.get(f"{url}/v1/jobs/{first['id']}").json()
        assert up.stop() == 0, up.says()
    assert kept["state"] == "succeeded"


def test_a_folder_is_bell_enough_where_there_is_no_redis(tmp_path: Path) -> None:
    bell = {"VISION_BROKER_URL": f"filesystem://{tmp_path / 'bell'}"}
    with service(tmp_path / "data", **bell) as (up, url):
        job = ended(url, submit(url, pictures=1))
        commands = " ".join(pids_of(tmp_path / "data").values())
        code = up.stop()

    assert job["state"] == "succeeded"
    assert "redis-server" not in commands
    assert code == 0, up.says()


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    with service(tmp_path / "one", "--quiet") as (_, url):
        port = url.rpartition(":")[2]
        words = ("up", "--port", port, "--data-dir", str(tmp_path / "two"))
        with running(tmp_path / "two.log", *words) as second:
            code = second.process.wait(60)

    assert code == 1
    assert f"can't listen on 127.0.0.1 port {port}" in second.says()
    assert not (tmp_path / "two" / "vision.sqlite").exists()
