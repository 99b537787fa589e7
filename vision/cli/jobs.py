"""`vision jobs`: list, show, wait for, cancel, retry and re-track the jobs of a server."""

from typing import Annotated

import typer

from vision.cli.client import DEFAULT_SERVER, Client, JsonOption, ServerOption
from vision.cli.job_report import answer, print_facts, print_troubles, row
from vision.cli.job_wait import exit_code, wait_for
from vision.cli.output import print_json, print_table
from vision.cli.result_list import JobArgument
from vision.cli.retrack import track
from vision.domain.states import JobState

app = typer.Typer(no_args_is_help=True)
app.command("track")(track)


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
    print_table(columns, [row(job) for job in jobs])


@app.command()
def show(
    job: JobArgument, *, as_json: JsonOption = False, server: ServerOption = DEFAULT_SERVER
) -> None:
    """One job, how far it is, and what went wrong with its files."""
    with Client(server) as client:
        found = client.get(f"/jobs/{job}")
        if as_json:
            print_json(found)
            return
        print_facts(found)
        if found["items_failed"] or found["state"] == JobState.PARTIAL:
            print_troubles(client.items(f"/jobs/{job}/items"))


@app.command()
def wait(
    job: JobArgument,
    *,
    timeout_seconds: Annotated[float | None, typer.Option("--timeout", help="Seconds.")] = None,
    as_json: JsonOption = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Until the job ends; exit code 0 all done, 3 a part of it, 1 failed or cancelled."""
    with Client(server) as client:
        found = wait_for(client, job, timeout_seconds=timeout_seconds)
    answer(found, as_json=as_json)
    raise typer.Exit(exit_code(found))


@app.command()
def cancel(
    job: JobArgument, *, as_json: JsonOption = False, server: ServerOption = DEFAULT_SERVER
) -> None:
    """Stop a job; what is stored stays."""
    with Client(server) as client:
        answer(client.post(f"/jobs/{job}/cancel"), as_json=as_json)


@app.command()
def retry(
    job: JobArgument, *, as_json: JsonOption = False, server: ServerOption = DEFAULT_SERVER
) -> None:
    """Run the failed and quarantined parts of a job again."""
    with Client(server) as client:
        answer(client.post(f"/jobs/{job}/retry"), as_json=as_json)
