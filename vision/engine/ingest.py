"""From a file on disk to an asset: probed by the decode process, blob durable, then the row."""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Protocol

from vision.domain.job import DEFAULT_TENANT, Asset, NewAsset
from vision.domain.media import MediaFacts
from vision.storage.assets import AssetStore
from vision.storage.blobs import BlobStore, new_key

_HASH_BLOCK_BYTES = 1024 * 1024


class Prober(Protocol):
    """Reads facts out of untrusted bytes without danger to this process."""

    def probe(self, source: Path | bytes) -> MediaFacts:
        """Raises the kinds of BadMedia."""
        ...


class Ingest:
    """The only way in which assets come into being on a server."""

    def __init__(self, assets: AssetStore, blobs: BlobStore, *, prober: Prober) -> None:
        self._assets = assets
        self._blobs = blobs
        self._prober = prober

    def add(
        self,
        path: Path,
        *,
        sha256: str,
        size_bytes: int,
        filename: str,
        tenant: str = DEFAULT_TENANT,
        tags: tuple[str, ...] = (),
    ) -> tuple[Asset, bool]:
        """The asset, and whether it is new: the same bytes of the same tenant are one asset.

        `path` is a complete file, best in the blob store's `staging`, whose hash the caller took
        while writing it. It is consumed; only after an error it may still be there. Raises the
        kinds of BadMedia, StorageFull, StorageUnavailable.
        """
        facts = self._prober.probe(path)
        blob_key = new_key(tenant, sha256)
        # Blob before row: a crash in between leaves an orphan for the tick, never a hole.
        self._blobs.put_file(path, blob_key)
        asset, is_new = self._assets.add(
            NewAsset(
                sha256=sha256,
                facts=facts,
                size_bytes=size_bytes,
                filename=filename,
                blob_key=blob_key,
                tenant=tenant,
                tags=tags,
            )
        )
        if not is_new:
            self._blobs.delete(blob_key)
        return asset, is_new

    def add_file(
        self, path: Path, *, tenant: str = DEFAULT_TENANT, tags: tuple[str, ...] = ()
    ) -> tuple[Asset, bool]:
        """As `add`, for a file that stays where it is and that nobody has hashed yet."""
        with tempfile.NamedTemporaryFile(dir=self._blobs.staging, delete=False) as copy:
            copied = Path(copy.name)
        try:
            shutil.copyfile(path, copied)
            sha256, size_bytes = file_digest(copied)
            return self.add(
                copied,
                sha256=sha256,
                size_bytes=size_bytes,
                filename=path.name,
                tenant=tenant,
                tags=tags,
            )
        finally:
            copied.unlink(missing_ok=True)


def file_digest(path: Path) -> tuple[str, int]:
    """SHA-256 in hexadecimal, and the size in bytes, of what was really read."""
    digest = hashlib.sha256()
    size_bytes = 0
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            digest.update(block)
            size_bytes += len(block)
    return digest.hexdigest(), size_bytes
