"""The pictures of the demo: their results fetched, and shown beside what they really contain."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from samples.demo_truth import Truth
from vision.cli.client import Client


@dataclass(frozen=True, slots=True)
class PictureResult:
    """One picture and what the service says about it."""

    file_name: str
    detections: Sequence[Mapping[str, Any]]
    error: str | None
    annotated: Path | None
    """None where there is none, or none that can be opened."""


def fetched(client: Client, item: Mapping[str, Any], folder: Path) -> PictureResult:
    """The drawn picture goes into `folder`."""
    query = {"asset_id": item["asset_id"], "include": "mask"}
    return PictureResult(
        file_name=item["filename"],
        detections=list(client.items(f"/jobs/{item['job_id']}/detections", query)),
        error=item["error"] and f"{item['error']['code']}: {item['error']['detail']}",
        annotated=None if item["error"] else _annotated(client, item, folder),
    )


def _annotated(client: Client, item: Mapping[str, Any], folder: Path) -> Path | None:
    """The drawn picture, if it can be opened and has the size of the original."""
    path = folder / Path(item["filename"]).with_suffix(".jpg").name
    with path.open("wb") as file:
        place = f"/jobs/{item['job_id']}/items/{item['asset_id']}/annotated"
        client.download(place, {"format": "jpeg"}, file)
    try:
        with Image.open(path) as picture:
            picture.load()
            return path if picture.size == (item["width"], item["height"]) else None
    except OSError:
        return None


def show(console: Console, results: Sequence[PictureResult], truth: Truth) -> None:
    """The table, and how it compares with what the scenes really contain."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("picture", no_wrap=True)
    table.add_column("found")
    table.add_column("best score", justify="right")
    # Whole, whatever the width: it is there to be opened.
    table.add_column("annotated", no_wrap=True)
    for result in results:
        table.add_row(result.file_name, _found(result), _best(result), str(result.annotated or "-"))
    console.print(table)
    matched = truth.compared({result.file_name: result.detections for result in results})
    console.print(f"\n{matched}")


def _found(result: PictureResult) -> str:
    """Labels, the most frequent first."""
    if result.error:
        return f"[red]{escape(result.error)}[/]"
    counts = Counter(detection["label"] for detection in result.detections).most_common()
    words = (label if count == 1 else f"{count} × {label}" for label, count in counts)
    return ", ".join(words) or "nothing"


def _best(result: PictureResult) -> str:
    return f"{max((one['score'] for one in result.detections), default=0):.2f}"


def missing(results: Sequence[PictureResult], truth: Truth) -> Iterator[str]:
    """What ought to be there and isn't."""
    for picture in sorted(truth.pictures - {result.file_name for result in results}):
        yield f"{picture} has no result"
    for result in results:
        if result.error:
            yield f"{result.file_name}: {result.error}"
        elif result.annotated is None:
            yield f"{result.file_name}: the annotated picture can't be opened"
        elif truth.has_objects(result.file_name) and not result.detections:
            yield f"{result.file_name}: no detections, but there are objects"
