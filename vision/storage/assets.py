"""Stored files: one row per distinct content and tenant."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select
from uuid6 import uuid7

from vision.domain.job import DEFAULT_TENANT, Asset, NewAsset
from vision.errors import NotFound
from vision.storage.bulk import Columns, Same, insert_columns
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.erasure import erase_asset
from vision.storage.pages import Page, decode_cursor, encode_cursor, page_of
from vision.storage.rows import asset_from, facts_to_json
from vision.storage.tables import asset_tags, assets, doomed_blobs
from vision.storage.video_tables import derived_blobs

CURSOR = "assets"
MAX_FILENAME = 255
KEYS_PER_QUERY = 1000


class AssetStore:
    """Rows about files; the bytes are in the blob store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: NewAsset) -> tuple[Asset, bool]:
        """The asset, and whether it is new: the same bytes of the same tenant are one asset.

        When it isn't new, the existing asset has its own blob and `new.blob_key` is not referenced:
        the caller deletes that blob.
        """
        tags = tuple(dict.fromkeys(new.tags))
        with self._database.begin() as connection:
            asset_id = connection.execute(
                self._database.insert(assets)
                .values(self._values(new, tags))
                .on_conflict_do_nothing(index_elements=["tenant", "sha256"])
                .returning(assets.c.id)
            ).scalar_one_or_none()
            if asset_id is not None:
                tagged: Columns = {
                    "tenant": Same(new.tenant),
                    "asset_id": Same(asset_id),
                    "tag": tags,
                }
                insert_columns(connection, asset_tags, tagged)
            same = (assets.c.tenant == new.tenant) & (assets.c.sha256 == new.sha256)
            row = connection.execute(select(assets).where(same)).one()
        return asset_from(row), asset_id is not None

    def get(self, asset_id: UUID, tenant: str = DEFAULT_TENANT) -> Asset:
        """Raises NotFound."""
        with self._database.read() as connection:
            return asset_from(_row(connection, asset_id, tenant))

    def page(
        self, tenant: str, *, limit: int, cursor: str | None = None, tag: str | None = None
    ) -> Page[Asset]:
        """Newest first. Raises InvalidRequest for a bad cursor."""
        query = select(assets).where(assets.c.tenant == tenant)
        key = assets.c.id
        if tag is not None:
            tagged = (asset_tags.c.tenant == tenant) & (asset_tags.c.tag == tag)
            query = query.join(asset_tags, asset_tags.c.asset_id == assets.c.id).where(tagged)
            key = asset_tags.c.asset_id
        if cursor is not None:
            query = query.where(key < decode_cursor(cursor, CURSOR, (UUID,))[0])
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(key.desc()).limit(limit + 1)).all()
        return page_of(
            rows, limit, item=asset_from, cursor=lambda row: encode_cursor(CURSOR, row.id)
        )

    def delete(self, asset_id: UUID, tenant: str = DEFAULT_TENANT) -> tuple[str, ...]:
        """Erases the asset, its items and its detections in every job; jobs stay consistent.

        Returns the blob keys to delete now. They stay listed in `doomed` until `forget` is called,
        so that a crash in between leaves nothing behind. Raises NotFound.
        """
        with self._database.begin() as connection:
            found = _row(connection, asset_id, tenant, lock=True)
            derived = erase_asset(self._database, connection, asset_id)
            values = {"blob_key": found.blob_key, "doomed_at": self._database.now_sql}
            connection.execute(insert(doomed_blobs).values(values))
        return (found.blob_key, *derived)

    def doomed(self, *, limit: int = 100) -> tuple[str, ...]:
        """Blob keys that nothing refers to any more and whose blob may still exist, longest first:
        of erased assets, and of crops and drawn videos that were replaced or whose job is gone.
        """
        query = select(doomed_blobs.c.blob_key).order_by(doomed_blobs.c.doomed_at).limit(limit)
        with self._database.read() as connection:
            return tuple(connection.execute(query).scalars())

    def forget(self, blob_keys: Sequence[str]) -> None:
        """These blobs are gone."""
        with self._database.begin() as connection:
            connection.execute(delete(doomed_blobs).where(doomed_blobs.c.blob_key.in_(blob_keys)))

    def unreferenced(self, blob_keys: Sequence[str]) -> tuple[str, ...]:
        """Those of the given keys that no asset and no result refers to: uploads that never became
        one, results that were never committed.
        """
        known: set[str] = set()
        with self._database.read() as connection:
            for start in range(0, len(blob_keys), KEYS_PER_QUERY):
                some = blob_keys[start : start + KEYS_PER_QUERY]
                for key in (assets.c.blob_key, derived_blobs.c.blob_key):
                    known.update(connection.execute(select(key).where(key.in_(some))).scalars())
        return tuple(key for key in blob_keys if key not in known)

    def _values(self, new: NewAsset, tags: Sequence[str]) -> dict[str, object]:
        return {
            "id": uuid7(),
            "tenant": new.tenant,
            "sha256": new.sha256,
            "facts": facts_to_json(new.facts),
            "size_bytes": new.size_bytes,
            "filename": _display_name(new.filename),
            "tags": list(tags),
            "blob_key": new.blob_key,
            "created_at": self._database.now_sql,
        }


def _row(connection: Connection, asset_id: UUID, tenant: str, *, lock: bool = False) -> AnyRow:
    query = select(assets).where(assets.c.id == asset_id, assets.c.tenant == tenant)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound(f"no asset {asset_id}")
    return row


def _display_name(filename: str) -> str:
    """Names come from anywhere: undecodable bytes and control characters can't be stored."""
    decodable = filename.encode("utf-8", "replace").decode("utf-8")
    return "".join(letter for letter in decodable if letter.isprintable())[:MAX_FILENAME]
