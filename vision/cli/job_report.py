"""Jobs in words and tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from vision.cli.job_progress import video_progress
from vision.cli.output import out, print_json, print_table
from vision.domain.states import ItemState

SECONDS_PER_MINUTE = 60
STAGE_NAMES = ("model", "algorithm")


def answer(job: Any, *, as_json: bool) -> None:
    """One sentence, or everything."""
    if as_json:
        print_json(job)
        return
    progress = job["progress"]
    out().print(
        f"job {job['id']} is {job['state']}: {progress['done']} of {progress['total']} done, "
        f"{job['items_failed']} failed{_frames(progress)}"
    )


def row(job: Any) -> tuple[object, ...]:
    """Of the list of jobs."""
    progress = job["progress"]
    done = f"{progress['done']}/{progress['total']}"
    return job["id"], job["state"], done, job["items_failed"], job["created_at"]


def print_facts(job: Any) -> None:
    """One job as a table."""
    print_table(("field", "value"), list(_facts(job)))


def print_troubles(items: Iterator[Any]) -> None:
    """The files that have no results, and those that have a part of them."""
    failed, partial = [], []
    for item in items:
        if item["state"] == ItemState.PARTIAL:
            partial.append(_partial(item))
        elif item["error"]:
            failed.append((item["filename"], item["error"]["code"], item["error"]["detail"]))
    for columns, rows in (
        (("failed file", "code", "reason"), failed),
        (("partial file", "frames", "reason"), partial),
    ):
        if rows:
            out().print()
            print_table(columns, rows)


def _facts(job: Any) -> Iterator[tuple[object, object]]:
    progress = job["progress"]
    yield from (("job", job["id"]), ("state", job["state"]))
    yield "done", f"{progress['done']} of {progress['total']}"
    yield from _video_facts(progress)
    yield "failed", job["items_failed"]
    yield "pipeline", ", ".join(_stages(job["pipeline"]))
    yield from ((name, job[f"{name}_at"]) for name in ("created", "started", "finished"))
    for model in job["models"]:
        yield f"weights of {model['name']}", model["weights_sha256"]
    if job.get("error"):
        yield "error", f"{job['error']['detail']} ({job['error']['code']})"


def _video_facts(progress: Mapping[str, Any]) -> Iterator[tuple[object, object]]:
    video = video_progress(progress)
    if video is None:
        return
    yield "frames", f"{video.frames_done} of {video.frames_total}"
    yield "video", f"{_minutes(video.seconds_done)} of {_minutes(video.seconds_total)}"
    if progress["eta_seconds"]:
        yield "time left", _minutes(progress["eta_seconds"])


def _stages(pipeline: Mapping[str, Any]) -> Iterator[str]:
    for name, stage in pipeline.items():
        if not stage:
            continue
        chosen = [str(stage[key]) for key in STAGE_NAMES if key in stage]
        yield f"{name}: {chosen[0] if chosen else _listed(stage)}"


def _listed(stage: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in stage.items() if value)


def _partial(item: Any) -> tuple[object, ...]:
    numbers = f"{item['frames_decoded']} of {item['frames_declared']}"
    return item["filename"], numbers, "; ".join(item["warnings"])


def _frames(progress: Mapping[str, Any]) -> str:
    video = video_progress(progress)
    return "" if video is None else f"; {video.frames_done} of {video.frames_total} frames"


def _minutes(seconds: float) -> str:
    """1:05:09, or 5:09."""
    minutes, rest = divmod(round(seconds), SECONDS_PER_MINUTE)
    hours, minutes = divmod(minutes, SECONDS_PER_MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
