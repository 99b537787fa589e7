"""The film of the demo: its results fetched, its annotated video waited for, both shown."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from samples.demo_film_truth import compared
from samples.filming.truth import FilmTruth
from vision.cli.client import Client

DRAWING_SECONDS = 300.0
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class FilmResult:
    """The film and what the service says about it."""

    item: Mapping[str, Any]
    detections: Sequence[Mapping[str, Any]]
    tracks: Sequence[Mapping[str, Any]]
    annotated: Path | None
    """None where there is none, or none with all the film's frames."""


def fetched(client: Client, item: Mapping[str, Any], folder: Path) -> FilmResult:
    """Waits until the annotated video is drawn. Raises TimeoutError."""
    job, query = f"/jobs/{item['job_id']}", {"asset_id": item["asset_id"]}
    return FilmResult(
        item=item,
        detections=list(client.lines(f"{job}/detections", query)),
        tracks=list(client.items(f"{job}/tracks", query)),
        annotated=None if item["error"] else _annotated(client, item, folder),
    )


def ask_for_drawing(client: Client, item: Mapping[str, Any]) -> None:
    """A worker begins while the rest is fetched."""
    client.post(_address(item))


def _annotated(client: Client, item: Mapping[str, Any], folder: Path) -> Path | None:
    path = folder / Path(item["filename"]).with_suffix(".mp4").name
    deadline = time.monotonic() + DRAWING_SECONDS
    while _is_waiting(client, item, path):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{item['filename']} is not drawn after {DRAWING_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
    return path if _is_whole(path, item) else None


def _is_waiting(client: Client, item: Mapping[str, Any], path: Path) -> bool:
    with path.open("wb") as file:
        return client.download_if_ready(_address(item), {}, file) is not None


def _address(item: Mapping[str, Any]) -> str:
    return f"/jobs/{item['job_id']}/items/{item['asset_id']}/annotated"


def _is_whole(path: Path, item: Mapping[str, Any]) -> bool:
    """Every frame can be decoded, upright and as large as the original's."""
    try:
        with av.open(path) as video:
            sizes = [(frame.width, frame.height) for frame in video.decode(video=0)]
    except (av.FFmpegError, IndexError):
        return False
    return sizes == [(item["width"], item["height"])] * item["frames_decoded"]


def show(console: Console, result: FilmResult, truth: FilmTruth) -> None:
    """What was followed, where the annotated film lies, and how it compares with the truth."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("track", "seen", "frames", "best score"):
        table.add_column(heading, justify="left" if heading == "track" else "right")
    for track in result.tracks:
        seen = f"{track['first_seconds']:.1f} to {track['last_seconds']:.1f} s"
        score = "-" if track["best"]["score"] is None else f"{track['best']['score']:.2f}"
        name = f"{escape(track['label'])} #{track['track_id']}"
        table.add_row(name, seen, str(track["detections"]), score)
    item = result.item
    console.print(
        f"\n[bold]{escape(item['filename'])}[/]: {item['frames_decoded']} frames, "
        f"{len(result.detections)} detections, {len(result.tracks)} tracks"
    )
    console.print(table)
    console.print(f"\n{compared(truth, result.detections)}")
    console.print(
        f"the film with all that drawn into it: {result.annotated or '-'}", soft_wrap=True
    )


def missing(result: FilmResult, truth: FilmTruth) -> Iterator[str]:
    """What ought to be there and isn't."""
    name, item = truth.file_name, result.item
    if item["error"]:
        yield f"{name}: {item['error']['code']}: {item['error']['detail']}"
        return
    if item["frames_decoded"] != len(truth.seconds):
        yield f"{name}: {item['frames_decoded']} of {len(truth.seconds)} frames are analyzed"
    if not compared(truth, result.detections).well_followed:
        yield f"{name}: no object is followed"
    if result.annotated is None:
        yield f"{name}: the annotated film can't be opened, or frames are missing"
