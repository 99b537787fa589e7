"""What the parts of the service say: one file each, and together on the console."""

import json
import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

MAX_FILE_BYTES = 10 * 1024 * 1024
KEPT_FILES = 3
NAME_WIDTH = 6
HIDDEN_FIELDS = ("time", "level", "logger", "event", "pid", "traceback", "color_message", "data")
"""Shown in their place, or too long for people (the last two are of uvicorn and Celery)."""


class PartOutput:
    """Takes lines of parts: as they are into DIR/NAME.log, readable to the console."""

    def __init__(self, logs_dir: Path, *, is_quiet: bool) -> None:
        logs_dir.mkdir(parents=True, exist_ok=True)
        self._logs_dir = logs_dir
        self._is_quiet = is_quiet
        self._files: dict[str, RotatingFileHandler] = {}

    def show(self, name: str, line: str) -> None:
        """One line of one part."""
        self._file(name).emit(logging.makeLogRecord({"msg": line}))
        if not self._is_quiet:
            print(f"{name:<{NAME_WIDTH}} | {readable(line)}", file=sys.stderr, flush=True)  # noqa: T201

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _file(self, name: str) -> RotatingFileHandler:
        if name not in self._files:
            path = self._logs_dir / f"{name}.log"
            self._files[name] = RotatingFileHandler(
                path, maxBytes=MAX_FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8"
            )
        return self._files[name]


def readable(line: str) -> str:
    """A JSON line of ours as words; any other line as it is."""
    try:
        event = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or "event" not in event:
        return line
    level = "" if event.get("level") == "INFO" else f"{event.get('level')} "
    fields = [f"{name}={event[name]}" for name in event if name not in HIDDEN_FIELDS]
    words = " ".join([f"{level}{event['event']}", *fields])
    return "\n".join(filter(None, [words, event.get("traceback")]))
