"""The Celery application: a doorbell and a process pool, and nothing that could lose work.

Work, its state and its retries live in the database (docs/decisions). A message carries neither
data nor ids: there is nothing in it to lose, to run twice, to inject or to version.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from kombu.entity import Queue

QUEUE = "gpu"
"""Where the bells are. Every worker can run every unit today, so all listen to both queues."""
QUEUES = (QUEUE, "cpu")
TASK = "ring"
CHILD_START_SECONDS = 300.0
"""A child imports nothing heavy, but may load models before it says that it is up."""

_REDIS_OPTIONS = {
    "visibility_timeout": 3600,
    # Without these a hung Redis blocks a publisher for ever (kombu's default is no limit).
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "global_keyprefix": "vis:",
}
_FOLDER_POLL_SECONDS = 0.1


def make_app(broker_url: str, *, task_seconds: float | None = None) -> Celery:
    """For redis://, rediss://, redis+socket:///PATH and filesystem:///FOLDER (which is made).

    `task_seconds` ends a child that is still in one task after so long: the last resort against
    native code that hangs; leases have long since moved on by then.
    """
    app = Celery("vision", set_as_current=False)
    app.conf.update(
        broker_url=_kombu_url(broker_url),
        broker_transport_options=_transport_options(broker_url),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # The lease is what redelivers: early acknowledgement, no loops, no visibility timeout.
        task_acks_late=False,
        task_reject_on_worker_lost=False,
        task_ignore_result=True,
        result_backend=None,
        task_serializer="json",
        accept_content=["json"],
        task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
        task_default_queue=QUEUE,
        task_create_missing_queues=False,
        task_send_sent_event=False,
        task_time_limit=task_seconds,
        worker_prefetch_multiplier=1,
        # Only Redis brokers know it; on others celery logs a warning and goes on.
        worker_disable_prefetch=_is_redis(broker_url),
        # Nobody who reaches Redis can shut down or steer a worker.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_max_tasks_per_child=None,
        worker_proc_alive_timeout=CHILD_START_SECONDS,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app


def _is_redis(broker_url: str) -> bool:
    return urlsplit(broker_url).scheme.startswith("redis")


def _kombu_url(broker_url: str) -> str:
    """Kombu takes the folder as an option, not from the URL."""
    return "filesystem://" if _folder(broker_url) else broker_url


def _transport_options(broker_url: str) -> dict[str, Any]:
    folder = _folder(broker_url)
    return _folder_options(folder) if folder else dict(_REDIS_OPTIONS)


def _folder(broker_url: str) -> Path | None:
    parts = urlsplit(broker_url)
    return Path(parts.path) if parts.scheme == "filesystem" else None


def _folder_options(folder: Path) -> dict[str, Any]:
    bells, control = folder / "bells", folder / "control"
    for place in (bells, control):
        place.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(bells),
        "data_folder_out": str(bells),
        "control_folder": str(control),
        "polling_interval": _FOLDER_POLL_SECONDS,
    }
