"""From a caller's wish to a stored job: check everything first, then one transaction."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from vision.domain.job import DEFAULT_TENANT, Job, NewJob
from vision.domain.provenance import canonical_json
from vision.errors import Conflict, FieldError, InvalidRequest
from vision.models.acceptances import Acceptances
from vision.models.catalogue import Catalogue
from vision.pipelines.document import PipelineDocument, parse_pipeline
from vision.pipelines.named import resolve
from vision.pipelines.plan import check, models_of
from vision.storage.jobs import JobStore


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a caller asks for, not yet checked."""

    asset_ids: tuple[UUID, ...]
    pipeline: str | Mapping[str, object]
    """The name of a shipped pipeline, or a pipeline document."""
    tenant: str = DEFAULT_TENANT
    priority: int = 0
    tags: tuple[str, ...] = ()
    webhook: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class SubmitLimits:
    """How much one job, and one tenant, may ask."""

    max_assets_per_job: int
    max_open_units: int


class Submissions:
    """The only way in which jobs come into being."""

    def __init__(
        self,
        jobs: JobStore,
        catalogue: Catalogue,
        *,
        acceptances: Acceptances,
        limits: SubmitLimits,
    ) -> None:
        self._jobs = jobs
        self._catalogue = catalogue
        self._acceptances = acceptances
        self._limits = limits

    def submit(self, request: JobRequest) -> tuple[Job, bool]:
        """The job, and whether it is new: the same idempotency key and body give the same job.

        When this returns, the job can no longer be lost. Raises InvalidRequest, InvalidPipeline,
        LicenseNotAccepted, NotFound for an unknown asset, IdempotencyKeyReused, TooBusy,
        StorageUnavailable.
        """
        self._require_sensible_assets(request.asset_ids)
        document = self.checked_pipeline(request.pipeline)
        new = _new_job(request, document)
        return self._jobs.submit(new, max_open_units=self._limits.max_open_units)

    def retrack(
        self, job_id: UUID, track: Mapping[str, object], tenant: str = DEFAULT_TENANT
    ) -> Job:
        """The ended job, queued again to follow its stored detections by another track stage.

        Runs no model. Raises NotFound, InvalidPipeline naming wrong fields as `track.…`, Conflict
        for a job that is open or has no video with detections, StorageUnavailable.
        """
        job = self._jobs.get(job_id, tenant)
        if "follow" in job.pipeline:
            raise Conflict(
                f"job {job_id} follows objects by a model, mask by mask: its tracks can't be made "
                "by another algorithm; submit a job with other prompts, or with detect and track"
            )
        document = parse_pipeline({**job.pipeline, "track": dict(track)})
        return self._jobs.retrack(
            job_id,
            tenant,
            pipeline=document.normal_form,
            pipeline_sha256=document.sha256,
        )

    def checked_pipeline(self, pipeline: object) -> PipelineDocument:
        """By name or document. Raises InvalidPipeline naming every wrong field, and
        LicenseNotAccepted for a model under terms that nobody has accepted.
        """
        document = resolve(pipeline)
        check(document, self._catalogue)
        for name in models_of(document):
            self._acceptances.require(self._catalogue[name])
        return document

    def _require_sensible_assets(self, asset_ids: tuple[UUID, ...]) -> None:
        if not asset_ids:
            raise _wrong_assets("give at least one asset")
        if len(asset_ids) > self._limits.max_assets_per_job:
            raise _wrong_assets(
                f"{len(asset_ids)} assets; the limit is {self._limits.max_assets_per_job} per job"
            )
        if len(set(asset_ids)) != len(asset_ids):
            raise _wrong_assets("an asset is named twice")


def _new_job(request: JobRequest, document: PipelineDocument) -> NewJob:
    return NewJob(
        asset_ids=request.asset_ids,
        pipeline=document.normal_form,
        pipeline_sha256=document.sha256,
        tenant=request.tenant,
        priority=request.priority,
        tags=request.tags,
        webhook=request.webhook,
        idempotency_key=request.idempotency_key,
        request_sha256=_request_sha256(request, document),
    )


def _request_sha256(request: JobRequest, document: PipelineDocument) -> str:
    """Of what the request means: key order and spelled-out defaults make no difference."""
    meaning = {
        "asset_ids": [str(asset_id) for asset_id in request.asset_ids],
        "pipeline": document.sha256,
        "priority": request.priority,
        "tags": list(request.tags),
        "webhook": request.webhook,
    }
    return hashlib.sha256(canonical_json(meaning)).hexdigest()


def _wrong_assets(detail: str) -> InvalidRequest:
    return InvalidRequest(detail, (FieldError("asset_ids", detail),))
