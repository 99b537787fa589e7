"""One JSON line per event: `log.info("unit committed", extra={"job_id": …, "unit": …})`.

The message names the event and never varies; what varies is a field. Never pixels, secrets or
file contents.
"""

import json
import logging
import sys
from datetime import UTC, datetime

_OWN_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
MAX_VALUE_LENGTH = 2000
"""A hostile file name or a long error can't flood the log."""


class JsonLines(logging.Formatter):
    """A record as one line of JSON; line breaks in values are escaped by it."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": _short(record.getMessage()),
            "pid": record.process,
        }
        for name, value in record.__dict__.items():
            if name not in _OWN_ATTRIBUTES:
                event[name] = value if isinstance(value, bool | int | float) else _short(str(value))
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return json.dumps(event, ensure_ascii=False)


def configure_logs(level: str) -> None:
    """All of this process' logging to standard error, as JSON lines. For entry points."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _short(text: str) -> str:
    return text if len(text) <= MAX_VALUE_LENGTH else text[:MAX_VALUE_LENGTH] + "…"
