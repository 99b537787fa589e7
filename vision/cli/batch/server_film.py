"""A video of a batch on a server: its line, its detections, and its annotated MP4."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vision.cli.batch.backend import NotDrawn
from vision.cli.batch.video_line import (
    DETECTION_NAMES,
    MEDIA_NAMES,
    VideoOutcome,
    chosen,
    chosen_of_track,
)
from vision.cli.batch.whole_lines import answered_embedding_line
from vision.cli.client import Client
from vision.cli.files import replacing
from vision.cli.problems import CONFLICT, ServerRefused
from vision.pipelines.export.whole_pictures import by_place

ALMOST = 0.999
"""At most this much is said to be drawn until the file is there."""


class _NotYet(Exception):
    """The file isn't drawn; leaves what was at its place."""


class ServerFilm:
    """One video with results."""

    def __init__(self, client: Client, job: str, asset: str) -> None:
        self._client = client
        self._job = job
        self._asset = asset
        self._was_asked_again = False

    def detections(self) -> Iterator[Mapping[str, Any]]:
        """As they arrive."""
        query = {"asset_id": self._asset, "include": "mask,keypoints,embedding"}
        found = self._client.lines(f"/jobs/{self._job}/detections", query)
        return (chosen(one, DETECTION_NAMES) for one in found)

    def classifications(self) -> Iterator[Mapping[str, Any]]:
        """As they arrive."""
        query = {"asset_id": self._asset}
        return by_place(self._client.lines(f"/jobs/{self._job}/classifications", query))

    def embeddings(self) -> Iterator[Mapping[str, Any]]:
        """As they arrive."""
        query = {"asset_id": self._asset, "of": "frame"}
        found = self._client.lines(f"/jobs/{self._job}/embeddings", query)
        return map(answered_embedding_line, found)

    def collect(self, path: Path) -> float:
        address = f"/jobs/{self._job}/items/{self._asset}/annotated"
        try:
            return self._fetched(address, path)
        except ServerRefused as error:
            if error.status != CONFLICT or self._was_asked_again:
                raise NotDrawn(error.problem_code, str(error)) from error
        # It failed, perhaps long ago and for us the first time: once more.
        self._was_asked_again = True
        self._client.post(address)
        return 0.0

    def _fetched(self, address: str, path: Path) -> float:
        fraction = 0.0
        with suppress(_NotYet), replacing(path) as file:
            waiting = self._client.download_if_ready(address, {}, file)
            if waiting is None:
                fraction = 1.0
            else:
                fraction = min(ALMOST, float(waiting["fraction"]))
                raise _NotYet
        return fraction


def video_outcome(client: Client, job: str, asset: str) -> VideoOutcome:
    """What the server says of the item, with its tracks."""
    item = client.get(f"/jobs/{job}/items/{asset}")
    tracks = client.items(f"/jobs/{job}/tracks", {"asset_id": asset})
    runs = client.get(f"/jobs/{job}")["provenances"]
    return VideoOutcome(
        asset_id=asset,
        state=item["state"],
        error=item["error"],
        media=chosen(item, MEDIA_NAMES),
        warnings=item["warnings"],
        counts=item["counts"],
        classes=item["classes"],
        frames_decoded=item["frames_decoded"],
        frames_declared=item["frames_declared"],
        tracks=[chosen_of_track(track) for track in tracks],
        track_parameters=item.get("track_parameters"),
        provenance=next((run for run in runs if run["digest"] == item["provenance"]), None),
    )
