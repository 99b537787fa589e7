"""What one chunk of a followed video leaves for the next: bytes, kept as a blob in between."""

import hashlib
from dataclasses import replace
from pathlib import Path

from vision.domain.job import ChunkResult, Lease
from vision.errors import StorageUnavailable
from vision.storage.blobs import BlobStore, new_key
from vision.storage.units import UnitStore


class FollowStates:
    """Safe for threads."""

    def __init__(self, units: UnitStore, blobs: BlobStore) -> None:
        self._units = units
        self._blobs = blobs

    def before(self, lease: Lease) -> bytes | None:
        """What this chunk begins with; None for the first of a chain, and after those that failed.

        Raises NotFound, StorageUnavailable.
        """
        key = self._units.state_key(lease)
        if key is None:
            return None
        source = self._blobs.source(key)
        try:
            return source.read_bytes() if isinstance(source, Path) else source
        except OSError as error:
            raise StorageUnavailable(f"a state can't be read: {error.strerror}") from error

    def kept(self, result: ChunkResult) -> ChunkResult:
        """With its state durable, if it has one. Raises StorageFull, StorageUnavailable."""
        if result.state is None:
            return result
        key = new_key(result.lease.tenant, hashlib.sha256(result.state).hexdigest())
        self._blobs.put_bytes(result.state, key)
        return replace(result, state=None, state_blob_key=key)
