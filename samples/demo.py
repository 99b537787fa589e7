"""`make demo`: starts the service, uploads the samples by REST, shows what was found.

Exit code 1 when anything is missing: an item failed, a picture has objects and no detections,
nothing is followed through the film, something annotated can't be opened, or the service didn't
end cleanly.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from samples import demo_film, demo_pictures
from samples.demo_film import FilmResult
from samples.demo_pictures import PictureResult
from samples.demo_service import running_service
from samples.demo_truth import Truth, read_truth
from samples.filming.truth import FilmTruth
from samples.filming.truth import read_truth as read_film_truth
from vision.cli import exits
from vision.cli.client import Client
from vision.cli.job_wait import wait_for
from vision.domain.states import JobState
from vision.errors import VisionError

IMAGES = Path(__file__).parent / "images"
FILM = Path(__file__).parent / "videos" / "yard-crossing.mp4"
OUT = Path("out/demo")
PIPELINE = "demo"
JOB_SECONDS = 900.0
LOG_WIDTH = 120
"""Of the table, where nobody says how wide the screen is."""

Results = tuple[list[PictureResult], FilmResult]


def main() -> int:
    """The exit code."""
    is_terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if is_terminal else LOG_WIDTH)
    try:
        with running_service(OUT, console) as url, Client(url) as client:
            results = run(client)
    except (VisionError, OSError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}")
        return exits.FAILED
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    truth, film = read_truth(IMAGES / "truth.json"), read_film_truth(FILM.with_suffix(".json"))
    return judged(console, results, truth=truth, film=film)


def run(client: Client) -> Results:
    """Upload, submit, wait, fetch. Raises TimeoutError."""
    # The film first: tracks of a job's first item are #1, #2, #3, …
    files = [FILM, *sorted(IMAGES.glob("*.jpg"))]
    assets = [client.upload(file, filename=file.name) for file in files]
    asked = {"asset_ids": [asset["id"] for asset in assets], "pipeline": PIPELINE}
    job_id = client.post("/jobs", asked)["id"]
    if not JobState(wait_for(client, job_id, timeout_seconds=JOB_SECONDS)["state"]).is_final:
        raise TimeoutError(f"the job has not ended after {JOB_SECONDS:g} s")
    folder = OUT / "annotated"
    folder.mkdir(parents=True, exist_ok=True)
    film, *pictures = client.items(f"/jobs/{job_id}/items")
    return _fetched(client, pictures, film, folder=folder)


def _fetched(
    client: Client, pictures: list[Mapping[str, Any]], film: Mapping[str, Any], *, folder: Path
) -> Results:
    if not film["error"]:
        demo_film.ask_for_drawing(client, film)
    results = [demo_pictures.fetched(client, item, folder) for item in pictures]
    return results, demo_film.fetched(client, film, folder)


def judged(console: Console, results: Results, *, truth: Truth, film: FilmTruth) -> int:
    """Shows everything; the exit code."""
    pictures, film_result = results
    demo_pictures.show(console, pictures, truth)
    demo_film.show(console, film_result, film)
    problems = [*demo_pictures.missing(pictures, truth), *demo_film.missing(film_result, film)]
    for problem in problems:
        console.print(f"[bold red]missing:[/] {escape(problem)}")
    return exits.FAILED if problems else exits.DONE


if __name__ == "__main__":
    sys.exit(main())
