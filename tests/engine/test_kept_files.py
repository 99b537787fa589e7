"""Videos in a store without a folder come over once and are read as files."""

import os
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from vision.engine import kept_files
from vision.engine.kept_files import KeptFiles
from vision.errors import NotFound
from vision.storage.blobs import BlobStore, new_key

LARGE = b"film" * 100_000


@pytest.fixture
def blobs(monkeypatch: pytest.MonkeyPatch) -> BlobStore:
    monkeypatch.setattr(kept_files, "LARGE_BYTES", 1000)
    return BlobStore(MemoryStore())


def put(blobs: BlobStore, content: bytes, name: str) -> str:
    key = new_key("default", name * 64)
    blobs.put_bytes(content, key)
    return key


def test_a_large_blob_is_read_from_one_and_the_same_file(blobs: BlobStore) -> None:
    key = put(blobs, LARGE, "a")
    kept = KeptFiles(blobs, files=2)

    first, second = kept.source(key), kept.source(key)

    assert isinstance(first, Path)
    assert first == second
    assert first.read_bytes() == LARGE


def test_a_small_blob_is_bytes(blobs: BlobStore) -> None:
    key = put(blobs, b"picture", "a")

    assert KeptFiles(blobs, files=2).source(key) == b"picture"


def test_the_file_used_longest_ago_makes_room(blobs: BlobStore) -> None:
    keys = [put(blobs, LARGE + name.encode(), name) for name in "abc"]
    kept = KeptFiles(blobs, files=2)
    before = len(os.listdir("/proc/self/fd"))
    for key in keys:
        kept.source(key)

    opened = len(os.listdir("/proc/self/fd")) - before

    assert opened == 2
    again = kept.source(keys[0])
    assert isinstance(again, Path)
    assert again.read_bytes().endswith(b"a")


def test_a_file_in_use_stays_while_others_come_and_go(blobs: BlobStore) -> None:
    keys = [put(blobs, LARGE + name.encode(), name) for name in "abcd"]
    kept = KeptFiles(blobs, files=1)
    first = kept.source(keys[0])

    for key in keys[1:]:
        kept.source(key)

    assert isinstance(first, Path)
    assert first.read_bytes().endswith(b"a")


def test_a_blob_that_is_gone_is_not_found(blobs: BlobStore) -> None:
    with pytest.raises(NotFound):
        KeptFiles(blobs, files=2).source(new_key("default", "f" * 64))


def test_files_of_a_folder_are_used_where_they_are(tmp_path: Path) -> None:
    blobs = BlobStore.open(tmp_path.as_uri())
    key = put(blobs, LARGE, "a")

    assert KeptFiles(blobs, files=2).source(key) == blobs.source(key)
