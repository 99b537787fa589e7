"""A copy of a models folder somewhere near, from which weights come instead of the internet."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, LocalStore, ObjectStore, S3Store

from vision.errors import OperatorError, TemporaryError
from vision.models.snapshots import LOCK_FILE, SnapshotLock, parsed_lock
from vision.models.sources import RemoteFile, RemoteFolder

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

CHUNK_BYTES = 1024 * 1024
CLIENT: "ClientConfig" = {"timeout": "60s", "connect_timeout": "5s"}
RETRY: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


@dataclass(frozen=True, slots=True)
class Mirror:
    """Laid out as a models folder is: FILE, and NAME/FILE for folders with their locks."""

    store: ObjectStore
    url: str

    @classmethod
    def open(cls, url: str) -> Self:
        """A folder's path, `file:///PATH`, `az://CONTAINER/PREFIX` or `s3://BUCKET/PREFIX`.

        Credentials come from the usual environment of each cloud. Raises OperatorError.
        """
        parts = urlsplit(url)
        prefix = parts.path.strip("/") or None
        if parts.scheme == "az" and parts.netloc:
            azure = AzureStore(
                parts.netloc, prefix=prefix, client_options=CLIENT, retry_config=RETRY
            )
            return cls(azure, url)
        if parts.scheme == "s3" and parts.netloc:
            s3 = S3Store(parts.netloc, prefix=prefix, client_options=CLIENT, retry_config=RETRY)
            return cls(s3, url)
        folder = Path(unquote(parts.path)) if parts.scheme == "file" else Path(url)
        if not url or not folder.is_dir():
            raise OperatorError(f"the mirror {url} is no folder, az://CONTAINER or s3://BUCKET")
        return cls(LocalStore(folder.absolute()), url)

    def folder(self, name: str) -> "MirroredFolder":
        """One model's; it need not be there."""
        return MirroredFolder(self, name)

    def fetch(self, path: str, part: Path, *, on_bytes: Callable[[int], None]) -> None:
        """Fill `part`, from where it ends. Raises OperatorError, TemporaryError."""
        with self._translated(path), part.open("ab") as file:
            size = obstore.head(self.store, path)["size"]
            if file.tell() > size:
                file.truncate(0)
            if file.tell() == size:
                return
            found = obstore.get(self.store, path, options={"range": {"offset": file.tell()}})
            for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                file.write(chunk)
                on_bytes(file.tell())

    def read(self, path: str) -> bytes | None:
        """A small file; None without it. Raises TemporaryError."""
        try:
            with self._translated(path):
                return bytes(obstore.get(self.store, path).bytes())
        except OperatorError:
            return None

    def sizes(self, folder: str) -> dict[str, int]:
        """Of the files in a folder, by name. Raises TemporaryError."""
        with self._translated(folder):
            listed = obstore.list_with_delimiter(self.store, f"{folder}/")
        return {one["path"].rsplit("/", 1)[1]: one["size"] for one in listed["objects"]}

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise OperatorError(f"the mirror {self.url} has no {path}") from error
        except (BaseError, OSError) as error:
            kind = type(error).__name__
            raise TemporaryError(f"the mirror {self.url} doesn't give {path}: {kind}") from error


@dataclass(frozen=True, slots=True)
class MirroredFolder:
    """A model's folder in a mirror; a `SnapshotSource`."""

    mirror: Mirror
    name: str

    def look(self) -> RemoteFolder:
        """What is there, with the hashes that its lock records. Raises TemporaryError."""
        lock = self._lock()
        sizes = self.mirror.sizes(self.name)
        files = {name: RemoteFile(size, lock.files.get(name)) for name, size in sizes.items()}
        what = f"the mirror {self.mirror.url}"
        return RemoteFolder(what, files, revision=lock.revision)

    def fetch(
        self, name: str, part: Path, *, folder: RemoteFolder, on_bytes: Callable[[int], None]
    ) -> None:
        """Fill `part`, from where it ends. Raises OperatorError, TemporaryError."""
        assert name in folder.files
        self.mirror.fetch(f"{self.name}/{name}", part, on_bytes=on_bytes)

    def _lock(self) -> SnapshotLock:
        found = self.mirror.read(f"{self.name}/{LOCK_FILE}")
        return (parsed_lock(found) if found else None) or SnapshotLock({})
