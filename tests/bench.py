"""`make bench`: `vision bench` with a private, durable PostgreSQL beside SQLite."""

import subprocess
import sys

from tests.databases import running_postgres


def main() -> int:
    """The exit code of `vision bench` with the arguments given here."""
    with running_postgres(durable=True) as server:
        server.execute("create database bench")
        url = server.url("bench")
        words = ("-m", "vision.cli.main", "bench", *sys.argv[1:], "--database-url", url)
        return subprocess.run([sys.executable, *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
