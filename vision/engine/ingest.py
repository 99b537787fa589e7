"""From a file on disk to an asset: probed by the decode process, blob durable, then the row."""

import hashlib
import unicodedata
from pathlib import Path
from typing import Protocol

from vision.domain.job import DEFAULT_TENANT, Asset, NewAsset
from vision.domain.media import MediaFacts
from vision.storage.assets import AssetStore
from vision.storage.blobs import BlobStore

MAX_NAME_LENGTH = 255
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

        `path` is a complete file of this host whose hash the caller took while writing it; the
        caller keeps it and removes it. Raises the kinds of BadMedia, StorageFull,
        StorageUnavailable.
        """
        facts = self._prober.probe(path)
        blob_key = self._blobs.new_key(tenant, sha256)
        # Blob before row: a crash in between leaves an orphan for the tick, never a hole.
        self._blobs.put_file(path, blob_key)
        asset, is_new = self._assets.add(
            NewAsset(
                sha256=sha256,
                facts=facts,
                size_bytes=size_bytes,
                filename=display_name(filename),
                blob_key=blob_key,
                tenant=tenant,
                tags=tags,
            )
        )
        if asset.blob_key != blob_key:
            self._blobs.delete(blob_key)
        return asset, is_new

    def add_file(
        self, path: Path, *, tenant: str = DEFAULT_TENANT, tags: tuple[str, ...] = ()
    ) -> tuple[Asset, bool]:
        """As `add`, for a file nobody has hashed yet."""
        sha256, size_bytes = file_digest(path)
        return self.add(
            path,
            sha256=sha256,
            size_bytes=size_bytes,
            filename=path.name,
            tenant=tenant,
            tags=tags,
        )


def file_digest(path: Path) -> tuple[str, int]:
    """SHA-256 in hexadecimal, and the size in bytes, of what was really read."""
    digest = hashlib.sha256()
    size_bytes = 0
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            digest.update(block)
            size_bytes += len(block)
    return digest.hexdigest(), size_bytes


def display_name(filename: str) -> str:
    """A name fit to be shown: no folders, no control or direction characters, 255 at most."""
    last = filename.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(character for character in last if _is_showable(character))
    return shown.strip()[:MAX_NAME_LENGTH] or "unnamed"


def _is_showable(character: str) -> bool:
    # Cc: control, Cf: format (right-to-left override), Cs: lone surrogates no database takes.
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs")
