"""`make demo`: starts the service, uploads the samples by REST, shows what was found.

Exit code 1 when anything is missing: an item failed, a picture has objects and no detections, an
annotated picture can't be opened, or the service didn't end cleanly.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from samples.demo_service import running_service
from samples.demo_truth import Truth, read_truth
from vision.cli import exits
from vision.cli.client import Client
from vision.cli.progress import progress_bar
from vision.errors import VisionError

IMAGES = Path(__file__).parent / "images"
OUT = Path("out/demo")
PIPELINE = "demo"
JOB_SECONDS = 900.0
POLL_SECONDS = 0.5
LOG_WIDTH = 120
"""Of the table, where nobody says how wide the screen is."""
FINAL = ("succeeded", "partial", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Result:
    """One picture and what the service says about it."""

    file_name: str
    detections: Sequence[Mapping[str, Any]]
    error: str | None
    annotated: Path | None
    """None where there is none, or none that can be opened."""


def main() -> int:
    """The exit code."""
    is_terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if is_terminal else LOG_WIDTH)
    pictures = sorted(IMAGES.glob("*.jpg"))
    truth = read_truth(IMAGES / "truth.json")
    try:
        with running_service(OUT, console) as url, Client(url) as client:
            results = list(run(client, pictures))
    except (VisionError, OSError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}")
        return exits.FAILED
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    show(console, results, truth)
    problems = list(missing(results, truth))
    for problem in problems:
        console.print(f"[bold red]missing:[/] {problem}")
    return exits.FAILED if problems or not results else exits.DONE


def run(client: Client, pictures: Sequence[Path]) -> Iterator[Result]:
    """Upload, submit, wait, fetch."""
    assets = [client.upload(picture, filename=picture.name) for picture in pictures]
    asked = {"asset_ids": [asset["id"] for asset in assets], "pipeline": PIPELINE}
    job_id = client.post("/jobs", asked)["id"]
    wait(client, job_id)
    folder = OUT / "annotated"
    folder.mkdir(parents=True, exist_ok=True)
    for item in client.items(f"/jobs/{job_id}/items"):
        query = {"asset_id": item["asset_id"], "include": "mask"}
        yield Result(
            file_name=item["filename"],
            detections=list(client.items(f"/jobs/{job_id}/detections", query)),
            error=item["error"] and f"{item['error']['code']}: {item['error']['detail']}",
            annotated=None if item["error"] else annotated(client, item, folder),
        )


def wait(client: Client, job_id: str) -> None:
    """Until the job has ended, with a bar."""
    deadline = time.monotonic() + JOB_SECONDS
    with progress_bar("pictures") as bar:
        task = bar.add_task("detecting", total=None)
        while (job := client.get(f"/jobs/{job_id}"))["state"] not in FINAL:
            done, total = job["progress"]["done"], job["progress"]["total"]
            bar.update(task, completed=done, total=total)
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {JOB_SECONDS:g} s {done} of {total} pictures are done")
            time.sleep(POLL_SECONDS)
        bar.update(task, completed=job["progress"]["done"], total=job["progress"]["total"])


def annotated(client: Client, item: Mapping[str, Any], folder: Path) -> Path | None:
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


def show(console: Console, results: Sequence[Result], truth: Truth) -> None:
    """The table, and how it compares with what the scenes really contain."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("picture", no_wrap=True)
    table.add_column("found")
    table.add_column("best score", justify="right")
    # Whole, whatever the width: it is there to be opened.
    table.add_column("annotated", no_wrap=True)
    for result in results:
        table.add_row(result.file_name, found(result), best(result), str(result.annotated or "-"))
    console.print(table)
    matched = truth.compared({result.file_name: result.detections for result in results})
    console.print(f"\n{matched}")


def found(result: Result) -> str:
    """Labels, the most frequent first."""
    if result.error:
        return f"[red]{escape(result.error)}[/]"
    counts = Counter(detection["label"] for detection in result.detections).most_common()
    words = (label if count == 1 else f"{count} × {label}" for label, count in counts)
    return ", ".join(words) or "nothing"


def best(result: Result) -> str:
    return f"{max((one['score'] for one in result.detections), default=0):.2f}"


def missing(results: Sequence[Result], truth: Truth) -> Iterator[str]:
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


if __name__ == "__main__":
    sys.exit(main())
