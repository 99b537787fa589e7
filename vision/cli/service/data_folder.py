"""The data folder of one running service: held by a lock, so that there is only one."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vision.errors import Conflict


@contextmanager
def held(data_dir: Path) -> Iterator[Path]:
    """Its private folder for sockets and the like. Raises Conflict when another process has it.

    The lock goes with this process, however that ends.
    """
    run_dir = data_dir / "run"
    run_dir.mkdir(parents=True, exist_ok=True)
    run_dir.chmod(0o700)
    with (run_dir / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise Conflict(
                f"`vision up` already runs on {data_dir} (process {lock.read().strip()}); "
                "stop it, or give another --data-dir"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield run_dir
