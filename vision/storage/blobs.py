"""Files by key: a local folder, Azure Blob or S3. Written once, never changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

CHUNK_BYTES = 256 * 1024


class BlobSource(Protocol):
    """Where a worker gets an image's bytes: the blob store, or a folder used in place."""

    def source(self, key: str) -> Path | bytes:
        """A path where there is one, else the bytes. Raises NotFound, StorageUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """One stored blob."""

    key: str
    size_bytes: int
    modified_at: float
    """Seconds since 1970 by the store's clock."""


class BlobStore:
    """A `BlobSource` that can also be written. Keys are made by `new_key` only."""

    @classmethod
    def open(cls, url: str) -> Self:
        """`file:///PATH` (created when missing), `az://CONTAINER` or `s3://BUCKET`.

        Credentials come from the usual environment of each cloud. Raises InvalidRequest for
        another scheme.
        """
        raise NotImplementedError

    @property
    def staging(self) -> Path:
        """Folder for files that are being received: from here `put_file` needs no copy."""
        raise NotImplementedError

    def put_file(self, path: Path, key: str) -> None:
        """Stores the file and removes it from `path`. When this returns the bytes are durable.

        Raises StorageFull, StorageUnavailable; the file at `path` may then still be there.
        """
        raise NotImplementedError

    def put_bytes(self, data: bytes, key: str) -> None:
        """The same for bytes in memory."""
        raise NotImplementedError

    def source(self, key: str) -> Path | bytes:
        """A path for a local folder, else the bytes. Raises NotFound, StorageUnavailable."""
        raise NotImplementedError

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Bytes from `start` up to but not including `end`, in chunks.

        Raises NotFound or StorageUnavailable before the first chunk.
        """
        raise NotImplementedError

    def size(self, key: str) -> int:
        """In bytes. Raises NotFound, StorageUnavailable."""
        raise NotImplementedError

    def delete(self, key: str) -> None:
        """No error when it is gone already. Raises StorageUnavailable."""
        raise NotImplementedError

    def entries(self) -> Iterator[BlobEntry]:
        """Every blob, in no order: for the sweep of orphans."""
        raise NotImplementedError

    def sweep_staging(self, *, older_than_seconds: float) -> int:
        """Removes files that were left in `staging`; how many."""
        raise NotImplementedError

    def check(self) -> None:
        """Raises StorageUnavailable unless a blob can be written and removed."""
        raise NotImplementedError


def new_key(tenant: str, sha256: str) -> str:
    """A fresh key of hexadecimal digits, for content of this hash: never contains a name.

    Two calls give two keys, so that an upload that lost a race can be removed safely.
    """
    raise NotImplementedError
