"""Large blobs of a store without a folder, fetched once and kept as files while they are in use."""

import os
import tempfile
import threading
import weakref
from pathlib import Path, PosixPath

from vision.errors import StorageFull
from vision.storage.blobs import BlobStore

LARGE_BYTES = 64 * 1024 * 1024
"""Smaller blobs are held in memory: most images, and no film."""


class KeptFiles:
    """A `BlobSource`: the chunks of a video are read one by one, its bytes come over once.

    A kept file has no name: it is gone with the process, however that ends.
    """

    def __init__(self, blobs: BlobStore, *, files: int) -> None:
        """Keeps so many files, beside those in use."""
        self._blobs = blobs
        self._files = files
        self._lock = threading.Lock()
        self._kept: dict[str, _NamelessFile] = {}
        """The one used last at the end."""

    def source(self, key: str) -> Path | bytes:
        """A path that can be opened as long as this very object is held, or the bytes.

        Raises NotFound, StorageUnavailable, StorageFull.
        """
        if self._blobs.has_files or self._blobs.size(key) < LARGE_BYTES:
            return self._blobs.source(key)
        with self._lock:
            file = self._kept.pop(key, None) or self._fetched(key)
            self._kept[key] = file
            return file.path

    def _fetched(self, key: str) -> "_NamelessFile":
        while len(self._kept) >= self._files:
            del self._kept[next(iter(self._kept))]
        file = _NamelessFile(self._blobs.staging)
        try:
            for block in self._blobs.stream(key):
                file.write(block)
        except OSError as error:
            raise StorageFull(f"no room for a copy of a video: {error.strerror}") from error
        return file


class _NamelessFile:
    """Closed when nobody holds it or its path any more."""

    def __init__(self, folder: Path) -> None:
        self._file, name = tempfile.mkstemp(dir=folder)
        os.unlink(name)
        weakref.finalize(self, os.close, self._file)

    @property
    def path(self) -> Path:
        path = _HoldingPath(f"/proc/self/fd/{self._file}")
        path.held = self
        return path

    def write(self, block: bytes) -> None:
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(self._file, rest) :]


class _HoldingPath(PosixPath):
    """Without it the number of a closed file would soon be another file's."""

    held: _NamelessFile
