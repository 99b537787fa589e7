"""A model hub on this machine, for the hub's own client: its protocol, and its bad days."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
LATER = "beef" + "0" * 36
TOKEN = "hf_of_somebody"
PATIENCE_SECONDS = 60.0
INFO = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)(/revision/(?P<revision>[^/]+))?")
RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
BLOB = re.compile(r"/blobs/(?P<digest>[0-9a-f]{64})")


class HubServer(ThreadingHTTPServer):
    """One repository. Large files are served by redirect from a place of their own, as the real
    hub does.
    """

    daemon_threads = True

    def __init__(self, repo: str, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repo = repo
        self.commits: dict[str, dict[str, bytes]] = {COMMIT: dict(files)}
        self.main = COMMIT
        self.is_gated = False
        self.altered: dict[str, bytes] = {}
        """Served in place of what the listing says."""
        self.cut_after: int | None = None
        """Bytes of a large file in one answer, then the connection ends."""
        self.hold_after: int | None = None
        """Bytes of a large file in one answer, then nothing more until `go_on`."""
        self.held, self.go_on = threading.Event(), threading.Event()
        self.status: int | None = None
        """Answered to everything."""
        self.asked: list[tuple[str, str]] = []
        """Method and path with query."""
        self.ranges: list[str | None] = []
        """Of the large file's answers."""
        self.tokens: list[str | None] = []
        """That came with questions for the large file's place, which is another host."""
        self.served_bytes = 0
        """Of the large file."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def by_revision(self, revision: str | None) -> tuple[str, dict[str, bytes]] | None:
        """Commit and files; None where there is no such revision."""
        commit = self.main if revision in (None, "main") else str(revision)
        return (commit, self.commits[commit]) if commit in self.commits else None


class Handler(BaseHTTPRequestHandler):
    server: HubServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append((self.command, path))
        if self.server.status is not None:
            self._refuse(self.server.status, "", "the hub is ill")
        elif found := BLOB.fullmatch(path):
            self._blob(found["digest"])
        elif found := INFO.fullmatch(path):
            self._info(found["repo"], found["revision"])
        elif found := RESOLVE.fullmatch(path):
            self._resolve(found["repo"], found["revision"], found["name"])
        else:
            self._refuse(404, "", "no such page")

    def _info(self, repo: str, revision: str | None) -> None:
        if repo != self.server.repo:
            self._refuse(401, "RepoNotFound", "Repository not found")
            return
        found = self.server.by_revision(revision)
        if found is None:
            self._refuse(404, "RevisionNotFound", "Invalid rev id")
            return
        commit, files = found
        siblings = [_sibling(name, content) for name, content in files.items()]
        info = {"id": repo, "modelId": repo, "sha": commit, "siblings": siblings, "tags": []}
        self._send(json.dumps(info).encode(), {"Content-Type": "application/json"})

    def _resolve(self, repo: str, revision: str, name: str) -> None:
        if self.server.is_gated and self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._refuse(401, "GatedRepo", f"Access to model {repo} is restricted")
            return
        found = self.server.by_revision(revision)
        if found is None or name not in found[1]:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        commit, files = found
        content = self.server.altered.get(name, files[name])
        head = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        if not _is_large(name):
            self._send(content, head)
            return
        digest = hashlib.sha256(files[name]).hexdigest()
        self.send_response(302)
        for header, value in head.items():
            self.send_header(header, value)
        self.send_header("X-Linked-Size", str(len(files[name])))
        self.send_header("X-Linked-ETag", f'"{digest}"')
        place = f"http://localhost:{self.server.server_port}/blobs/{digest}"
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _blob(self, digest: str) -> None:
        content = next(
            self.server.altered.get(name, one)
            for files in self.server.commits.values()
            for name, one in files.items()
            if hashlib.sha256(one).hexdigest() == digest
        )
        asked = self.headers["Range"]
        self.server.ranges.append(asked)
        self.server.tokens.append(self.headers["Authorization"])
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if start >= len(content):
            self.send_error(416)
            return
        body = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            end = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
        self.end_headers()
        sent = body[: self.server.cut_after]
        self._send_some(sent)
        self.server.served_bytes += len(sent)
        self.close_connection = True

    def _send_some(self, sent: bytes) -> None:
        stop = self.server.hold_after
        if stop is None:
            self.wfile.write(sent)
            return
        self.wfile.write(sent[:stop])
        self.server.held.set()
        self.server.go_on.wait(PATIENCE_SECONDS)

    def _send(self, content: bytes, head: Mapping[str, str]) -> None:
        self.send_response(200)
        for header, value in head.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _refuse(self, status: int, code: str, message: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@contextmanager
def serving_hub(repo: str, files: Mapping[str, bytes]) -> Iterator[HubServer]:
    """Until the end."""
    with HubServer(repo, files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _is_large(name: str) -> bool:
    return name.endswith(".safetensors")


def _sibling(name: str, content: bytes) -> dict[str, object]:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    known: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": blob}
    if _is_large(name):
        digest = hashlib.sha256(content).hexdigest()
        known["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
    return known
