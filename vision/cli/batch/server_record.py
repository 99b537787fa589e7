"""What a batch has given to a server: so that nothing is uploaded or asked twice."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from vision.cli.batch.backend import KnownAsset


class ServerRecord:
    """Lines appended to a file; thread-safe. For one server and one pipeline."""

    def __init__(self, path: Path, *, server: str, pipeline_sha256: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._server = server
        self._pipeline_sha256 = pipeline_sha256
        self.asset_by_sha256: dict[str, KnownAsset] = {}
        self.assets_by_job: dict[str, tuple[str, ...]] = {}
        """The oldest job first."""
        for line in _lines(path):
            self._read(line)

    def add_asset(self, sha256: str, asset: KnownAsset) -> None:
        line = {"sha256": sha256, "asset": asset.id}
        video = {"is_video": True, "seconds": asset.seconds} if asset.is_video else {}
        self._append({**line, **video})

    def add_job(self, job: str, assets: Sequence[str]) -> None:
        self._append({"pipeline": self._pipeline_sha256, "job": job, "assets": list(assets)})

    def forget_assets(self, assets: Sequence[str]) -> None:
        """They may be gone from the server: upload them again, which is harmless if they aren't."""
        gone = frozenset(assets)
        kept = {key: asset for key, asset in self.asset_by_sha256.items() if asset.id not in gone}
        self.asset_by_sha256 = kept

    def _append(self, entry: dict[str, object]) -> None:
        line = {"server": self._server, **entry}
        with self._lock, self._path.open("ab") as file:
            # The line feed comes first: a line that a kill cut off spoils no other.
            file.write(b"\n" + orjson.dumps(line))
        self._read(line)

    def _read(self, line: dict[str, Any]) -> None:
        if line["server"] != self._server:
            return
        if "sha256" in line:
            self.asset_by_sha256[line["sha256"]] = KnownAsset(
                line["asset"],
                is_video=line.get("is_video", False),
                seconds=line.get("seconds", 0.0),
            )
        elif line["pipeline"] == self._pipeline_sha256:
            self.assets_by_job[line["job"]] = tuple(line["assets"])


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    lines = []
    for text in path.read_bytes().splitlines():
        try:
            lines.append(orjson.loads(text))
        except orjson.JSONDecodeError:
            continue  # empty, or cut off by a kill
    return lines
