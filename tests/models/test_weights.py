"""Weights files: missing, wrong, imported, and pulled from a real server that misbehaves."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vision.errors import (
    Conflict,
    InvalidRequest,
    OperatorError,
    TemporaryError,
    WeightsMismatch,
    WeightsMissing,
)
from vision.models.catalogue import listed_specs
from vision.models.download import exclusive
from vision.models.pulls import Pulls
from vision.models.spec import ModelSpec, WeightsSpec
from vision.models.weights import HASHES_FILE, WeightsStore

CONTENT = os.urandom(3_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT at /file; may ignore ranges, or cut every answer short."""

    daemon_threads = True
    ranges = True
    cut_after: int | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        if self.path != "/file":
            self.send_error(404)
            return
        start = int(asked[6:-1]) if asked and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut_after])

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "models")


def spec_at(url: str | None, sha256: str = DIGEST) -> ModelSpec:
    weights = WeightsSpec("it.pth", url=url, sha256_prefix=sha256[:8])
    return replace(listed_specs()["ssdlite320_mobilenet_v3_large"], weights=weights)


SPEC = spec_at(None)


def test_missing_file_names_the_command_that_fetches_it(store: WeightsStore) -> None:
    spec = listed_specs()["sam_vit_b"]

    assert not store.is_present(spec)
    with pytest.raises(WeightsMissing, match="run `vision models pull sam_vit_b`"):
        store.path(spec)


def test_hash_is_remembered_until_the_file_changes(store: WeightsStore) -> None:
    store.models_dir.mkdir()
    file = store.models_dir / SPEC.weights.file
    file.write_bytes(b"one")
    first = store.sha256(SPEC)
    file.write_bytes(b"three")

    second = WeightsStore(store.models_dir).sha256(SPEC)

    assert first == hashlib.sha256(b"one").hexdigest()
    assert second == hashlib.sha256(b"three").hexdigest()
    assert second in (store.models_dir / HASHES_FILE).read_text()


def test_verification_never_trusts_what_was_remembered(store: WeightsStore) -> None:
    store.models_dir.mkdir()
    file = store.models_dir / SPEC.weights.file
    file.write_bytes(CONTENT)
    facts = file.stat()
    assert store.sha256(SPEC) == DIGEST

    file.write_bytes(CONTENT[:-1] + b"!")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))

    with pytest.raises(WeightsMismatch, match="not the weights file of ssdlite320"):
        store.verified(SPEC)


def test_import_takes_the_right_file_and_no_other(store: WeightsStore, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_bytes(CONTENT)
    wrong.write_bytes(CONTENT[:-7])

    with pytest.raises(WeightsMismatch):
        Pulls(store).take(SPEC, wrong)
    assert not store.is_present(SPEC)
    placed = Pulls(store).take(SPEC, right)

    assert placed.read_bytes() == CONTENT
    assert os.listdir(store.models_dir) == [SPEC.weights.file]
    assert store.verified(SPEC) == (placed, DIGEST)


def test_import_of_nothing_is_refused(store: WeightsStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="is not a file"):
        Pulls(store).take(SPEC, tmp_path / "none")


def test_pull_downloads_with_progress(store: WeightsStore, server: Server) -> None:
    progress: list[tuple[int, int | None]] = []

    placed = Pulls(store).pull(
        spec_at(server.url), lambda done, total: progress.append((done, total))
    )

    assert placed.read_bytes() == CONTENT
    assert progress[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in progress] == sorted(done for done, _ in progress)
    assert not list(store.models_dir.glob("*.part"))


def test_pull_of_a_present_file_asks_nobody(store: WeightsStore, server: Server) -> None:
    spec = spec_at(server.url)
    Pulls(store).pull(spec)

    Pulls(store).pull(spec)

    assert len(server.asked) == 1


def test_pull_goes_on_where_it_broke_off(store: WeightsStore, server: Server) -> None:
    spec = spec_at(server.url)
    server.cut_after = 1_000_000
    with pytest.raises(TemporaryError, match="run it again"):
        Pulls(store).pull(spec)
    here = (store.models_dir / "it.pth.part").stat().st_size
    server.cut_after = None

    placed = Pulls(store).pull(spec)

    assert placed.read_bytes() == CONTENT
    assert here > 0
    assert server.asked == [None, f"bytes={here}-"]


def test_pull_starts_anew_when_the_server_cannot_continue(
    store: WeightsStore, server: Server
) -> None:
    server.ranges = False
    store.models_dir.mkdir()
    (store.models_dir / "it.pth.part").write_bytes(CONTENT[:1000])

    assert Pulls(store).pull(spec_at(server.url)).read_bytes() == CONTENT


@pytest.mark.parametrize("surplus", [b"", b"too long"], ids=["complete", "longer than the file"])
def test_pull_survives_a_full_partial_file(
    store: WeightsStore, server: Server, surplus: bytes
) -> None:
    store.models_dir.mkdir()
    (store.models_dir / "it.pth.part").write_bytes(CONTENT + surplus)

    assert Pulls(store).pull(spec_at(server.url)).read_bytes() == CONTENT


def test_pull_refuses_and_removes_a_wrong_file(store: WeightsStore, server: Server) -> None:
    spec = spec_at(server.url, sha256="0" * 64)

    with pytest.raises(WeightsMismatch, match="the catalogue says 00000000"):
        Pulls(store).pull(spec)

    assert not store.is_present(spec)
    assert not list(store.models_dir.glob("*.part"))


def test_pull_tells_refusal_from_trouble(store: WeightsStore, server: Server) -> None:
    with pytest.raises(OperatorError, match="answers 404"):
        Pulls(store).pull(spec_at(server.url + "s"))
    with serving() as gone:
        url = gone.url
    with pytest.raises(TemporaryError):
        Pulls(store).pull(spec_at(url))


def test_pull_of_what_is_not_downloaded_is_refused(store: WeightsStore) -> None:
    with pytest.raises(InvalidRequest, match="isn't downloaded"):
        Pulls(store).pull(listed_specs()["demo_sam"])


def test_pull_of_a_file_has_no_revisions(store: WeightsStore, server: Server) -> None:
    with pytest.raises(InvalidRequest, match="no revisions"):
        Pulls(store).pull(spec_at(server.url), revision="main")

    assert server.asked == []


def test_two_pulls_of_one_file_do_not_mix(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    with (
        exclusive(lock, "it is being downloaded"),
        pytest.raises(Conflict, match="another"),
        exclusive(lock, "it is being downloaded"),
    ):
        pass
