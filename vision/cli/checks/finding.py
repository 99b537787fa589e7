"""One thing the doctor looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"
    """It works without, but less well, or not all of it."""
    MISSING = "MISSING"
    """It doesn't work without."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is so, and what to do about it."""

    name: str
    status: Status
    detail: str
    advice: str = ""
    """Empty when nothing is to be done."""


def ok(name: str, detail: str) -> Finding:
    return Finding(name, Status.OK, detail)


def warn(name: str, detail: str, advice: str) -> Finding:
    return Finding(name, Status.WARN, detail, advice)


def missing(name: str, detail: str, advice: str) -> Finding:
    return Finding(name, Status.MISSING, detail, advice)
