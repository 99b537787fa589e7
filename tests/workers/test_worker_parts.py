"""The small parts of a worker: its settings, its name, the page its two processes share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vision.domain.job import MAX_ITEMS_PER_UNIT
from vision.settings import Settings
from workers.celery_app import make_app
from workers.prefork import longest_task_seconds
from workers.shared_state import SharedState
from workers.slot import worker_slot

HOLD = """
import sys, time
from pathlib import Path
from workers.slot import worker_slot
with worker_slot(Path(sys.argv[1])) as name:
    print(name, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        pytest.param("task_acks_late", False, id="the lease redelivers, not the broker"),
        pytest.param("task_reject_on_worker_lost", False, id="a deadly unit loops nowhere"),
        pytest.param("result_backend", None, id="results live in the database"),
        pytest.param("task_ignore_result", True, id="nobody asks for them"),
        pytest.param("accept_content", ["json"], id="never pickle"),
        pytest.param("worker_prefetch_multiplier", 1, id="bells wait in Redis"),
        pytest.param("worker_disable_prefetch", True, id="so that an idle worker hears them"),
        pytest.param("worker_enable_remote_control", False, id="nobody steers a worker"),
        pytest.param("task_create_missing_queues", False, id="no queue by typing error"),
        pytest.param("broker_connection_max_retries", None, id="Redis may come back late"),
    ],
)
def test_celery_is_only_a_doorbell(setting: str, value: object) -> None:
    assert make_app("redis://localhost/0").conf[setting] == value


def test_a_hung_redis_cannot_hold_a_publisher_for_ever() -> None:
    options = make_app("redis://localhost/0").conf.broker_transport_options

    assert options["socket_timeout"] == 5
    assert options["socket_connect_timeout"] == 3


def test_celery_ends_no_task_that_gets_on() -> None:
    settings = Settings(_env_file=None, stall_seconds=10)  # type: ignore[call-arg]

    assert longest_task_seconds(settings) > MAX_ITEMS_PER_UNIT * 10


def test_workers_side_by_side_have_different_names(tmp_path: Path) -> None:
    with worker_slot(tmp_path) as first, worker_slot(tmp_path) as second:
        assert first != second


def test_a_worker_started_again_has_its_old_name(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        name = holder.stdout.readline().strip()
        with worker_slot(tmp_path) as beside:
            assert beside != name
        holder.kill()

    with worker_slot(tmp_path) as again:
        assert again == name


def test_a_worker_without_a_folder_of_its_own_still_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with worker_slot(tmp_path / "file") as first, worker_slot(tmp_path / "file") as second:
        assert first
        assert first != second


def test_the_wish_to_drain_reaches_the_child() -> None:
    state = SharedState()
    child = os.fork()
    if child == 0:
        while not state.should_drain():
            pass
        os._exit(7)

    state.ask_to_drain()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_child_that_gets_no_further_is_noticed() -> None:
    state = SharedState()
    assert state.stalled_pid(-1) is None

    state.work_moved()
    assert state.stalled_pid(60) is None
    assert state.stalled_pid(-1) == os.getpid()

    state.work_ended()
    assert state.stalled_pid(-1) is None
