"""Who accepted which restricted licence, when: a file of lines in the models folder. No torch.

Only ever added to: a withdrawal is a line too. What was accepted are the facts as they were shown;
when the catalogue tells others, they are accepted anew.
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from vision.errors import Conflict, InvalidRequest, LicenseNotAccepted, OperatorError
from vision.models.spec import ModelSpec

ACCEPTANCES_FILE = "acceptances.jsonl"
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One line of the file."""

    model: str
    """The listed model; it covers a user's own weights for the same network."""
    license: str
    facts_sha256: str
    accepted_by: str
    """As they called themselves: nobody checks it."""
    at: str
    """ISO 8601, UTC."""
    is_withdrawn: bool = False


class Acceptances:
    """Of one models folder, which the API and the workers share. Safe for threads and processes."""

    def __init__(self, models_dir: Path) -> None:
        self._file = models_dir / ACCEPTANCES_FILE
        self._version: tuple[int, int] | None = None
        self._last: dict[str, Acceptance] = {}
        self._lock = threading.Lock()

    def of(self, spec: ModelSpec) -> Acceptance | None:
        """The one that is in force for these facts."""
        last = self._current().get(licensed_name(spec))
        if last is None or last.is_withdrawn or last.facts_sha256 != spec.license.sha256:
            return None
        return last

    def permits(self, spec: ModelSpec) -> bool:
        """Whether the model may run."""
        return not spec.license.is_restricted or self.of(spec) is not None

    def require(self, spec: ModelSpec) -> None:
        """The gate. Raises LicenseNotAccepted saying how to accept it."""
        if not self.permits(spec):
            name = licensed_name(spec)
            raise LicenseNotAccepted(
                f"the {spec.license.name} of {name} forbids uses, and nobody here has accepted it: "
                f"read `vision models show {name}`, then run `vision models accept {name}` or "
                f"POST /v1/models/{name}/acceptance"
            )

    def accept(self, spec: ModelSpec, *, by: str) -> tuple[Acceptance, bool]:
        """The acceptance in force, and whether it is new.

        Raises Conflict when there is nothing to accept, InvalidRequest, OperatorError.
        """
        if not spec.license.is_restricted:
            raise Conflict(f"{spec.license.name}, the licence of {spec.name}, restricts no use")
        if not by.strip() or len(by) > LONGEST_NAME:
            raise InvalidRequest(f"say who accepts it, in {LONGEST_NAME} characters at most")
        with self._writing() as file:
            held = self.of(spec)
            return (held, False) if held else (self._append(file, _line(spec, by.strip())), True)

    def withdraw(self, spec: ModelSpec, *, by: str) -> bool:
        """Whether there was one. Raises OperatorError."""
        with self._writing() as file:
            if self.of(spec) is None:
                return False
            self._append(file, _line(spec, by, is_withdrawn=True))
            return True

    def _current(self) -> dict[str, Acceptance]:
        with self._lock:
            version = self._version_now()
            if version != self._version:
                self._last = {} if version is None else self._read()
                self._version = version
            return self._last

    def _version_now(self) -> tuple[int, int] | None:
        try:
            facts = self._file.stat()
        except FileNotFoundError:
            return None
        return facts.st_mtime_ns, facts.st_size

    def _read(self) -> dict[str, Acceptance]:
        """By model. A line that a crash cut off was never confirmed to anyone."""
        lines = self._file.read_text("utf-8").splitlines()
        acceptances = [one for one in map(_parsed, lines) if one is not None]
        return {one.model: one for one in acceptances}

    @contextmanager
    def _writing(self) -> Iterator[IO[bytes]]:
        """Alone, so that what `of` says holds until the line is written."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
        except OSError as error:
            raise OperatorError(f"can't write {self._file}: {error.strerror}") from error

    def _append(self, file: IO[bytes], acceptance: Acceptance) -> Acceptance:
        file.write(_torn_end(file) + json.dumps(asdict(acceptance)).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        return acceptance


def licensed_name(spec: ModelSpec) -> str:
    """The model whose licence it is: a user's own weights are under that of the listed ones."""
    return spec.like or spec.name


def _line(spec: ModelSpec, by: str, *, is_withdrawn: bool = False) -> Acceptance:
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Acceptance(
        licensed_name(spec), spec.license.name, spec.license.sha256, by, at, is_withdrawn
    )


def _parsed(line: str) -> Acceptance | None:
    try:
        return Acceptance(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _torn_end(file: IO[bytes]) -> bytes:
    """What ends a line that a crash cut off."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"
