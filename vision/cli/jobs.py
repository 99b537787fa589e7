"""`vision jobs`: list, show, wait for, cancel and retry the jobs of a server."""

import time
from typing import Annotated, Any

import typer
from rich.progress import Progress

from vision.cli import exits
from vision.cli.client import DEFAULT_SERVER, POLL_SECONDS, Client, JsonOption, ServerOption
from vision.cli.output import notes, out, print_json, print_table
from vision.cli.progress import progress_bar
from vision.domain.states import JobState

app = typer.Typer(no_args_is_help=True)

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
END_CODES = {
    JobState.SUCCEEDED: exits.DONE,
    JobState.PARTIAL: exits.PARTIAL,
    JobState.FAILED: exits.FAILED,
    JobState.CANCELLED: exits.FAILED,
}


@app.command("list")
def list_jobs(
    *,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only jobs with this tag.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    as_json: JsonOption = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """The newest jobs."""
    with Client(server) as client:
        query = {"state": None if state is None else state.value, "tag": tag}
        jobs = client.first_items("/jobs", query, limit=limit)
    if as_json:
        print_json({"items": jobs})
        return
    columns = ("job", "state", "done", "failed", "created")
    print_table(columns, [_row(job) for job in jobs])


@app.command()
def show(
    job: JobArgument, *, as_json: JsonOption = False, server: ServerOption = DEFAULT_SERVER
) -> None:
    """One job, and what went wrong with its files."""
    with Client(server) as client:
        found = client.get(f"/jobs/{job}")
        failed = [] if as_json else _failed_items(client, found)
    if as_json:
        print_json(found)
        return
    print_table(("field", "value"), _facts(found))
    if failed:
        out().print()
        print_table(("failed file", "code", "reason"), failed)


@app.command()
def wait(
    job: JobArgument,
    *,
    timeout_seconds: Annotated[float | None, typer.Option("--timeout", help="Seconds.")] = None,
    as_json: JsonOption = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Until the job ends; exit code 0 all done, 3 some files failed, 1 failed or cancelled."""
    with Client(server) as client, progress_bar("images") as bar:
        found = _wait(client, job, bar=bar, timeout_seconds=timeout_seconds)
    _answer(found, as_json=as_json)
    raise typer.Exit(END_CODES.get(JobState(found["state"]), exits.FAILED))


@app.command()
def cancel(
    job: JobArgument, *, as_json: JsonOption = False, server: ServerOption = DEFAULT_SERVER
) -> None:
    """Stop a job; what is stored stays."""
    with Client(server) as client:
        _answer(client.post(f"/jobs/{job}/cancel"), as_json=as_json)


@app.command()
def retry(
    job: JobArgument, *, as_json: JsonOption = False, server: ServerOption = DEFAULT_SERVER
) -> None:
    """Run the failed and quarantined parts of a job again."""
    with Client(server) as client:
        _answer(client.post(f"/jobs/{job}/retry"), as_json=as_json)


def _wait(client: Client, job: str, *, bar: Progress, timeout_seconds: float | None) -> Any:
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    task = bar.add_task("waiting", total=None)
    while True:
        found = client.get(f"/jobs/{job}")
        progress = found["progress"]
        bar.update(task, completed=progress["done"], total=progress["total"])
        if JobState(found["state"]).is_final:
            return found
        if deadline is not None and time.monotonic() >= deadline:
            notes().print(f"job {job} has not ended after {timeout_seconds:g} s")
            return found
        time.sleep(POLL_SECONDS)


def _answer(job: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    progress = job["progress"]
    out().print(
        f"job {job['id']} is {job['state']}: {progress['done']} of {progress['total']} done, "
        f"{job['items_failed']} failed"
    )


def _row(job: Any) -> tuple[object, ...]:
    progress = job["progress"]
    done = f"{progress['done']}/{progress['total']}"
    return job["id"], job["state"], done, job["items_failed"], job["created_at"]


def _facts(job: Any) -> list[tuple[object, object]]:
    progress = job["progress"]
    stages = (f"{name}: {stage['model']}" for name, stage in job["pipeline"].items() if stage)
    facts: list[tuple[object, object]] = [
        ("job", job["id"]),
        ("state", job["state"]),
        ("done", f"{progress['done']} of {progress['total']}"),
        ("failed", job["items_failed"]),
        ("pipeline", ", ".join(stages)),
        ("created", job["created_at"]),
        ("started", job["started_at"]),
        ("finished", job["finished_at"]),
        *((f"weights of {model['name']}", model["weights_sha256"]) for model in job["models"]),
    ]
    error = job.get("error")
    return [*facts, ("error", f"{error['detail']} ({error['code']})")] if error else facts


def _failed_items(client: Client, job: Any) -> list[tuple[object, ...]]:
    if not job["items_failed"]:
        return []
    return [
        (item["filename"], item["error"]["code"], item["error"]["detail"])
        for item in client.items(f"/jobs/{job['id']}/items")
        if item["error"]
    ]
