"""A whole running service for the commands that talk to one."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console import Ended, Workplace, run, start, wait_for


@dataclass(frozen=True)
class Server:
    """A running service."""

    url: str

    def run(self, *arguments: object) -> Ended:
        return run(*arguments, VISION_SERVER=self.url)

    def json(self, *arguments: object) -> Any:
        ended = self.run(*arguments, "--json")
        assert ended.code == 0, ended.err
        return json.loads(ended.out)


@contextmanager
def running_service(workplace: Workplace, data: Path, **more: str) -> Iterator[Server]:
    """`vision up` on a free port, until the block ends."""
    settings = {"VISION_MODELS_DIR": str(workplace.models_dir), **more}
    process = start("up", "--port", "0", "--data-dir", data, "--quiet", **settings)
    try:
        announced = data / "run" / "service.json"
        wait_for(lambda: announced.is_file() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        yield Server(json.loads(announced.read_text())["url"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
