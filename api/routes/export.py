"""A job's results as a file for other tools."""

from collections.abc import Iterator
from functools import partial
from tempfile import TemporaryFile
from typing import Annotated, BinaryIO, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from api import openapi
from api.downloads import SAFE_HEADERS, attachment, streamed
from api.schemas.base import Question
from api.services import Given, Services, Tenant
from vision.domain.job import Item, Job
from vision.domain.stored import DetectionFilter, StoredDetection, TrackFilter
from vision.domain.stored_findings import (
    ClassificationFilter,
    Classified,
    EmbeddingFilter,
    StoredClassification,
)
from vision.domain.track import Track
from vision.pipelines.export.findings import JobFindings
from vision.pipelines.export.formats import FORMATS, ExportFormat, export_format

router = APIRouter(prefix="/v1", tags=["results"])

_CHUNK_BYTES: Final = 256 * 1024
_ITEMS_PER_PAGE: Final = 1000


class ExportQuestion(Question):
    """As what."""

    format: str = Field(description=f"One of {', '.join(FORMATS)}.", examples=["coco"])


@router.get(
    "/jobs/{job_id:uuid}/export",
    response_class=Response,
    responses=openapi.file_answer(
        *(each.media_type for each in FORMATS.values()), description="The file."
    ),
)
def export_job(
    job_id: UUID, services: Given, tenant: Tenant, question: Annotated[ExportQuestion, Query()]
) -> Response:
    """Everything stored so far, as far as the format has a place for it."""
    chosen = export_format(question.format)
    job = services.engine.jobs.get(job_id, tenant)
    # Written as a whole first: an export that fails half-way is an error, never half a file.
    file = TemporaryFile(dir=services.staging.folder)  # noqa: SIM115 - closed by the stream
    try:
        chosen.write(_findings(services, job, chosen), file)
    except BaseException:
        file.close()
        raise
    headers = {
        **SAFE_HEADERS,
        **attachment(f"{job.id}.{chosen.name}{chosen.extension}"),
        "Content-Length": str(file.tell()),
    }
    return StreamingResponse(streamed(_pieces(file)), 200, headers, chosen.media_type)


def _findings(services: Services, job: Job, form: ExportFormat) -> JobFindings:
    engine = services.engine
    detections = engine.detections.stream(
        DetectionFilter(tenant=job.tenant, job_id=job.id),
        include_masks=form.has_masks,
        include_keypoints=form.has_masks,
        include_embeddings=form.has_embeddings,
    )
    return JobFindings(
        job,
        tuple(_items(services, job)),
        detections,
        _keypoint_names(services, job),
        frame_times=lambda item: engine.tracks.frame_times(job.id, item.index),
        tracks=partial(_tracks, services, job),
        along=partial(_along, services, job),
        embeddings=lambda of: engine.embeddings.stream(EmbeddingFilter(job.id, job.tenant, of=of)),
        classifications=lambda of: engine.classifications.stream(
            ClassificationFilter(job.id, job.tenant, of=of)
        ),
        clips=partial(_clips, services, job),
    )


def _tracks(services: Services, job: Job, item: Item) -> Iterator[Track]:
    chosen = TrackFilter(job.id, job.tenant, asset_id=item.asset_id)
    return (stored.track for stored in services.engine.tracks.stream(chosen))


def _along(services: Services, job: Job, item: Item, track: Track) -> Iterator[StoredDetection]:
    chosen = DetectionFilter(job.tenant, job.id, asset_id=item.asset_id, track_id=track.track_id)
    stream = services.engine.detections.stream
    return stream(chosen, include_masks=False, include_keypoints=False)


def _clips(services: Services, job: Job, item: Item) -> Iterator[StoredClassification]:
    of_item = ClassificationFilter(
        job.id, job.tenant, asset_id=item.asset_id, of=frozenset({Classified.CLIP})
    )
    return services.engine.classifications.stream(of_item)


def _items(services: Services, job: Job) -> Iterator[Item]:
    cursor: str | None = None
    while True:
        page = services.engine.jobs.items(job.id, job.tenant, limit=_ITEMS_PER_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def _keypoint_names(services: Services, job: Job) -> tuple[str, ...]:
    detect = job.pipeline.get("detect")
    name = detect["model"] if isinstance(detect, dict) else None
    catalogue = services.engine.catalogue
    return catalogue[name].keypoint_names if name is not None and name in catalogue else ()


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(_CHUNK_BYTES):
            yield piece
