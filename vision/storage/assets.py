"""Stored files: one row per distinct content and tenant."""

from collections.abc import Sequence
from uuid import UUID

from vision.domain.job import DEFAULT_TENANT, Asset, NewAsset
from vision.storage.database import Database
from vision.storage.pages import Page


class AssetStore:
    """Rows about files; the bytes are in the blob store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: NewAsset) -> tuple[Asset, bool]:
        """The asset, and whether it is new: the same bytes of the same tenant are one asset.

        When it isn't new, the existing asset has its own blob and `new.blob_key` is not referenced:
        the caller deletes that blob.
        """
        raise NotImplementedError

    def get(self, asset_id: UUID, tenant: str = DEFAULT_TENANT) -> Asset:
        """Raises NotFound."""
        raise NotImplementedError

    def page(
        self, tenant: str, *, limit: int, cursor: str | None = None, tag: str | None = None
    ) -> Page[Asset]:
        """Newest first. Raises InvalidRequest for a bad cursor."""
        raise NotImplementedError

    def delete(self, asset_id: UUID, tenant: str = DEFAULT_TENANT) -> tuple[str, ...]:
        """Erases the asset, its items and its detections in every job; jobs stay consistent.

        Returns the blob keys to delete now. They stay listed in `doomed` until `forget` is called,
        so that a crash in between leaves nothing behind. Raises NotFound.
        """
        raise NotImplementedError

    def doomed(self, *, limit: int = 100) -> tuple[str, ...]:
        """Blob keys whose asset is erased and whose blob may still exist."""
        raise NotImplementedError

    def forget(self, blob_keys: Sequence[str]) -> None:
        """These blobs are gone."""
        raise NotImplementedError

    def unreferenced(self, blob_keys: Sequence[str]) -> tuple[str, ...]:
        """Those of the given keys that no asset refers to: uploads that never became one."""
        raise NotImplementedError
