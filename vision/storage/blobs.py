"""Files by key: a local folder, Azure Blob or S3. Written once, never changed."""

import errno
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, LocalStore, ObjectStore, S3Store

from vision.errors import InvalidRequest, NotFound, StorageFull, StorageUnavailable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

CHUNK_BYTES = 256 * 1024
LIST_BATCH = 1000
OBJECTS, INCOMING = "objects", "incoming"
KEY = re.compile(r"[0-9a-f]{8}/[0-9a-f]{2}/[0-9a-f]{64}-[0-9a-f]{16}")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLIENT: "ClientConfig" = {"timeout": "60s", "connect_timeout": "5s"}
RETRY: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


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
    """A `BlobSource` that can also be written. Keys are made by `new_key` only. Thread-safe."""

    def __init__(self, store: ObjectStore, *, folder: Path | None = None) -> None:
        """`folder` holds what `store` reads, where there is such a folder; see `open`."""
        self._store = store
        self._folder = folder
        self._staging = Path(tempfile.gettempdir()) if folder is None else folder / INCOMING

    @classmethod
    def open(cls, url: str) -> Self:
        """`file:///PATH` (created when missing), `az://CONTAINER` or `s3://BUCKET`, with a prefix
        after the name if wanted.

        Credentials come from the usual environment of each cloud. Raises InvalidRequest for
        another scheme.
        """
        parts = urlsplit(url)
        prefix = parts.path.strip("/") or None
        if parts.scheme == "file" and parts.path:
            return cls._open_folder(Path(unquote(parts.path)))
        if parts.scheme == "az" and parts.netloc:
            azure = AzureStore(
                parts.netloc, prefix=prefix, client_options=CLIENT, retry_config=RETRY
            )
            return cls(azure)
        if parts.scheme == "s3" and parts.netloc:
            return cls(
                S3Store(parts.netloc, prefix=prefix, client_options=CLIENT, retry_config=RETRY)
            )
        raise InvalidRequest("blobs are at file:///PATH, az://CONTAINER or s3://BUCKET")

    @classmethod
    def _open_folder(cls, folder: Path) -> Self:
        with _translated("the blob folder"):
            for name in (OBJECTS, INCOMING):
                (folder / name).mkdir(parents=True, exist_ok=True)
        return cls(LocalStore(folder / OBJECTS), folder=folder)

    @property
    def staging(self) -> Path:
        """Folder for files that are being received: from here `put_file` needs no copy."""
        return self._staging

    @property
    def has_files(self) -> bool:
        """Whether `source` gives paths."""
        return self._folder is not None

    def put_file(self, path: Path, key: str) -> None:
        """Stores the file and removes it from `path`. When this returns the bytes are durable.

        Raises StorageFull, StorageUnavailable; the file at `path` may then still be there.
        """
        with _translated(key):
            if self._folder is not None:
                self._adopt(path, self._path(key))
                return
            obstore.put(self._store, key, path)
            expected, stored = path.stat().st_size, obstore.head(self._store, key)["size"]
            if stored != expected:
                raise StorageUnavailable(f"{stored} of {expected} bytes arrived in the blob store")
            path.unlink()

    def put_bytes(self, data: bytes, key: str) -> None:
        """The same for bytes in memory."""
        with _translated(key):
            descriptor, name = tempfile.mkstemp(dir=self._staging)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        self.put_file(Path(name), key)

    def source(self, key: str) -> Path | bytes:
        """A path for a local folder, else the bytes. Raises NotFound, StorageUnavailable."""
        with _translated(key):
            if self._folder is None:
                return bytes(obstore.get(self._store, key).bytes())
            path = self._path(key)
            path.stat()
            return path

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Bytes from `start` up to but not including `end`, in chunks.

        Raises NotFound or StorageUnavailable before the first chunk.
        """
        stop = self.size(key) if end is None else end
        if stop <= start:
            return iter(())
        with _translated(key):
            if self._folder is not None:
                return _chunks(self._path(key).open("rb"), start, stop)
            found = obstore.get(self._store, key, options={"range": (start, stop)})
        return (bytes(chunk) for chunk in found.stream(min_chunk_size=CHUNK_BYTES))

    def size(self, key: str) -> int:
        """In bytes. Raises NotFound, StorageUnavailable."""
        with _translated(key):
            if self._folder is not None:
                return self._path(key).stat().st_size
            return obstore.head(self._store, key)["size"]

    def delete(self, key: str) -> None:
        """No error when it is gone already. Raises StorageUnavailable."""
        with _translated(key):
            if self._folder is not None:
                self._path(key).unlink(missing_ok=True)
                return
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                return

    def entries(self) -> Iterator[BlobEntry]:
        """Every blob, in no order: for the sweep of orphans. Raises StorageUnavailable."""
        with _translated("the list of blobs"):
            for batch in obstore.list(self._store, chunk_size=LIST_BATCH):
                for one in batch:
                    if KEY.fullmatch(one["path"]):
                        modified_at = one["last_modified"].timestamp()
                        yield BlobEntry(one["path"], one["size"], modified_at)

    def sweep_staging(self, *, older_than_seconds: float) -> int:
        """Removes files that were left in `staging`; how many. Only of a local folder: elsewhere
        the folder isn't ours alone.
        """
        if self._folder is None:
            return 0
        limit = time.time() - older_than_seconds
        with _translated("the incoming folder"):
            old = [one for one in self._staging.iterdir() if one.stat().st_mtime < limit]
            for one in old:
                one.unlink(missing_ok=True)
        return len(old)

    def check(self) -> None:
        """Raises StorageUnavailable unless a blob can be written and removed."""
        key = new_key("", "0" * 64)
        self.put_bytes(b"check", key)
        self.delete(key)

    def _path(self, key: str) -> Path:
        """Raises NotFound for anything that `new_key` can't have made, such as `../`."""
        assert self._folder is not None
        if not KEY.fullmatch(key):
            raise NotFound(f"no blob {key!r}")
        return self._folder / OBJECTS / key

    def _adopt(self, path: Path, target: Path) -> None:
        """Bytes to disk, then the name, then the folders that hold the name."""
        if path.stat().st_dev != self._staging.stat().st_dev:
            copy = self._staging / secrets.token_hex(16)
            shutil.copyfile(path, copy)
            path.unlink()
            path = copy
        _sync(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
        for folder in (target.parent, target.parent.parent, target.parent.parent.parent):
            _sync(folder)


def new_key(tenant: str, sha256: str) -> str:
    """A fresh key of hexadecimal digits, for content of this hash: never contains a name.

    Two calls give two keys, so that an upload that lost a race can be removed safely.
    """
    owner = hashlib.sha256(tenant.encode()).hexdigest()[:8]
    return f"{owner}/{sha256[:2]}/{sha256}-{secrets.token_hex(8)}"


def _chunks(file: BinaryIO, start: int, stop: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while chunk := file.read(min(CHUNK_BYTES, stop - start)):
            start += len(chunk)
            yield chunk


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"no blob {what}") from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StorageFull("the disk for blobs is full") from error
        raise StorageUnavailable(f"the blob store doesn't answer: {error.strerror}") from error
    except BaseError as error:
        kind = type(error).__name__
        raise StorageUnavailable(f"the blob store doesn't answer: {kind}") from error
