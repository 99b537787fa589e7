"""Files that workers make of originals: written beside the blobs, then kept as one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vision.engine.ingest import file_digest
from vision.errors import StorageUnavailable
from vision.storage.blobs import BlobStore, new_key


@contextmanager
def staged(blobs: BlobStore) -> Iterator[Path]:
    """An empty file to write to; gone in the end unless it was kept.

    What a killed worker leaves is swept by the tick. Raises StorageUnavailable.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=blobs.staging, delete=False) as file:
            path = Path(file.name)
    except OSError as error:
        raise StorageUnavailable(f"no file can be made: {error.strerror}") from error
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def keep(blobs: BlobStore, path: Path, *, tenant: str) -> str:
    """The key under which it is durable now. Raises StorageFull, StorageUnavailable."""
    sha256, _ = file_digest(path)
    key = new_key(tenant, sha256)
    blobs.put_file(path, key)
    return key
