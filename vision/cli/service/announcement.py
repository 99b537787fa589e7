"""Says where the service listens, once it is ready."""

import json
import os
import socket
import threading
from pathlib import Path
from typing import Self

from vision.cli.output import notes, out
from vision.cli.service.listening import address_of, is_ready, url_of

SERVICE_FILE = "service.json"
"""In the data folder's `run` while the service is ready: its url and the process to stop."""
PAUSE_SECONDS = 0.2
LATE_SECONDS = 60.0


class Announcement:
    """Waits in a thread until the API is ready, then prints and writes it. A context manager."""

    def __init__(self, listener: socket.socket, run_dir: Path) -> None:
        self._address = address_of(listener)
        self._file = run_dir / SERVICE_FILE
        self._logs_dir = run_dir.parent / "logs"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._announce, daemon=True)

    def is_made(self) -> bool:
        return self._file.exists()

    def __enter__(self) -> Self:
        self._file.unlink(missing_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._file.unlink(missing_ok=True)

    def _announce(self) -> None:
        waited_seconds = 0.0
        while not is_ready(self._address):
            if self._stop.wait(PAUSE_SECONDS):
                return
            waited_seconds += PAUSE_SECONDS
            if waited_seconds >= LATE_SECONDS:
                waited_seconds = 0.0
                notes().print(f"still not ready; what the parts say is in {self._logs_dir}")
        self._tell(url_of(self._address))

    def _tell(self, url: str) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps({"url": url, "pid": os.getpid()}))
        fresh.replace(self._file)
        out().print(f"vision listens on {url}, logs are in {self._logs_dir}")
