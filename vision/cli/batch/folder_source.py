"""The batch's folder as the engine's source of pictures: used in place, nothing is copied."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from vision.cli.batch.backend import HashedFile
from vision.errors import NotFound


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    size_bytes: int
    changed_at_ns: int


class FolderSource:
    """A `BlobSource` whose keys are hashes of content: a renamed file is found again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[str, _Place] = {}

    def add(self, file: HashedFile) -> str:
        """The key under which it is found."""
        place = _Place(file.found.path, file.size_bytes, file.changed_at_ns)
        with self._lock:
            self._places.setdefault(file.sha256, place)
        return file.sha256

    def source(self, key: str) -> Path | bytes:
        """Raises NotFound for a file that is gone or has changed since it was hashed."""
        with self._lock:
            place = self._places.get(key)
        if place is None:
            raise NotFound("the file is no longer in the folder")
        try:
            facts = place.path.stat()
        except OSError as error:
            raise NotFound("the file is no longer there") from error
        if (facts.st_size, facts.st_mtime_ns) != (place.size_bytes, place.changed_at_ns):
            raise NotFound("the file was changed while the batch ran; run it again")
        if not os.access(place.path, os.R_OK):
            raise NotFound("the file can no longer be read")
        return place.path
