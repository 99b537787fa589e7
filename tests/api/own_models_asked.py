"""A user's own models in a running service: added, their terms accepted, asked by REST."""

from pathlib import Path
from typing import Any
from uuid import UUID

from serving import Served

from vision.domain.states import JobState
from vision.domain.video import Frame
from vision.engine.parts import pace
from vision.engine.work_loop import work
from vision.engine.worker_parts import open_station
from vision.models.adding import add_model
from vision.pipelines.sampling import cut


def add_own(
    served: Served, name: str, *, like: str, place: Path, **labels: tuple[str, ...]
) -> None:
    """As `vision models add` does; a restricted licence is accepted by REST."""
    add_model(served.engine.weights.models_dir, name, like=like, file=place, **labels)
    if served.engine.catalogue[like].license.is_restricted:
        body = {"accepted_by": "Ada"}
        assert served.client.post(f"/v1/models/{like}/acceptance", json=body).is_success


def finished(served: Served, pipeline: dict[str, Any], *, file: bytes) -> str:
    """The id of a job for one file: uploaded, submitted, worked on."""
    asset = served.client.post("/v1/assets", content=file).json()["id"]
    answer = served.client.post("/v1/jobs", json={"asset_ids": [asset], "pipeline": pipeline})
    assert answer.status_code == 202, answer.text
    job: str = answer.json()["id"]
    with open_station(served.engine, served.settings, owner="test/1") as station:
        work(station, pace(served.settings))
    assert served.engine.jobs.get(UUID(job)).state is JobState.SUCCEEDED
    return job


def results(served: Served, pipeline: dict[str, Any], what: str, *, file: bytes) -> list[Any]:
    """The first page of a job's results of one kind."""
    job = finished(served, pipeline, file=file)
    rows: list[Any] = served.client.get(f"/v1/jobs/{job}/{what}").json()["items"]
    return rows


def frames_of(served: Served, video: bytes) -> list[Frame]:
    """As workers see them: decoded by the same process."""
    (chunk,) = cut(served.engine.decoder.index(video), None, chunk_frames=10_000).chunks
    with served.engine.decoder.frames(video, chunk) as frames:
        return list(frames)
