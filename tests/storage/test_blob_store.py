"""Blobs: a real folder, and obstore's own store in memory for the path that clouds take."""

import hashlib
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from vision.errors import InvalidRequest, NotFound, StorageUnavailable
from vision.storage.blobs import CHUNK_BYTES, BlobStore, new_key

DATA = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["folder", "object store"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        return BlobStore.open(f"file://{tmp_path / 'with space'}")
    return BlobStore(MemoryStore())


def test_stored_bytes_come_back_and_the_received_file_is_gone(
    blobs: BlobStore, tmp_path: Path
) -> None:
    received = tmp_path / "received"
    received.write_bytes(DATA)
    key = new_key("default", SHA256)

    blobs.put_file(received, key)

    assert not received.exists()
    assert _read(blobs, key) == DATA
    assert blobs.size(key) == len(DATA)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(0, None, id="whole"),
        pytest.param(0, 1, id="first byte"),
        pytest.param(len(DATA) - 1, None, id="last byte"),
        pytest.param(CHUNK_BYTES - 1, CHUNK_BYTES + 1, id="over a chunk's edge"),
        pytest.param(10, 10, id="nothing"),
    ],
)
def test_ranges_are_streamed(blobs: BlobStore, start: int, end: int | None) -> None:
    key = new_key("default", SHA256)
    blobs.put_bytes(DATA, key)

    assert b"".join(blobs.stream(key, start, end)) == DATA[start:end]


def test_deleting_twice_is_no_error_and_then_it_is_not_found(blobs: BlobStore) -> None:
    key = new_key("default", SHA256)
    blobs.put_bytes(DATA, key)

    blobs.delete(key)
    blobs.delete(key)

    for ask in (blobs.source, blobs.size, blobs.stream):
        with pytest.raises(NotFound):
            ask(key)


def test_entries_list_every_blob_with_its_size(blobs: BlobStore) -> None:
    keys = {new_key(tenant, SHA256) for tenant in ("a", "a", "b")}
    for key in keys:
        blobs.put_bytes(b"1234", key)

    entries = list(blobs.entries())

    assert {entry.key for entry in entries} == keys
    assert {entry.size_bytes for entry in entries} == {4}


def test_check_leaves_nothing_behind(blobs: BlobStore) -> None:
    blobs.check()

    assert list(blobs.entries()) == []


def test_keys_hold_no_name_and_are_never_equal() -> None:
    first, second = new_key("../../etc", SHA256), new_key("../../etc", SHA256)

    assert first != second
    assert ".." not in first


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "", "a/b", "x" * 99])
def test_foreign_keys_find_nothing_in_a_folder(tmp_path: Path, key: str) -> None:
    blobs = BlobStore.open(f"file://{tmp_path}")

    with pytest.raises(NotFound):
        blobs.source(key)


def test_folder_gives_paths_in_place(tmp_path: Path) -> None:
    blobs = BlobStore.open(f"file://{tmp_path}")
    key = new_key("default", SHA256)
    blobs.put_bytes(DATA, key)

    source = blobs.source(key)

    assert isinstance(source, Path)
    assert source.is_relative_to(tmp_path)


def test_old_leftovers_in_staging_are_swept_and_fresh_ones_stay(tmp_path: Path) -> None:
    blobs = BlobStore.open(f"file://{tmp_path}")
    (blobs.staging / "half").write_bytes(b"half an upload")

    assert blobs.sweep_staging(older_than_seconds=3600) == 0
    assert blobs.sweep_staging(older_than_seconds=-1) == 1


def test_unreachable_cloud_is_a_temporary_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    blobs = BlobStore.open("s3://bucket/prefix")

    with pytest.raises(StorageUnavailable):
        blobs.size(new_key("default", SHA256))


@pytest.mark.parametrize("url", ["ftp://host/x", "folder", "s3://", "file://"])
def test_other_places_are_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        BlobStore.open(url)


def _read(blobs: BlobStore, key: str) -> bytes:
    source = blobs.source(key)
    return source.read_bytes() if isinstance(source, Path) else source
