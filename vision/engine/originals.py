"""The files that units are about, and what their absence means."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vision.errors import NotFound, StorageUnavailable
from vision.storage.blobs import BlobSource


@contextmanager
def original(blobs: BlobSource, key: str) -> Iterator[Path | bytes]:
    """The file, for as long as it is read. Raises NotFound, StorageUnavailable.

    A file that can't be opened inside the block is a store that doesn't answer.
    """
    try:
        yield blobs.source(key)
    except FileNotFoundError as error:
        raise NotFound("the file is no longer there") from error
    except OSError as error:
        raise StorageUnavailable(f"the file can't be read: {error.strerror}") from error
