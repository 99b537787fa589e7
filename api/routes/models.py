"""The catalogue of models, which of them are ready to use here, and whose terms were accepted."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response, status
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api import openapi
from api.body import Body
from api.problems import field_errors
from api.schemas.base import PageAnswer
from api.schemas.models import (
    AcceptanceAnswer,
    AcceptanceQuestion,
    LicenseAnswer,
    ModelAnswer,
    WeightsAnswer,
)
from api.services import Given, Services
from api.strict_json import parse_json
from vision.errors import InvalidRequest
from vision.models.acceptances import Acceptance
from vision.models.licenses import License
from vision.models.spec import ModelSpec, SnapshotSpec

router = APIRouter(prefix="/v1", tags=["models"])

MAX_BODY_BYTES: Final = 64 * 1024
NOBODY: Final = "somebody by REST"
"""Who withdraws: that question has no body, and there are no users."""


def _named(name: str, services: Given) -> ModelSpec:
    """Before the body is looked at: an unknown name is the first thing to tell."""
    return services.engine.catalogue[name]


Named = Annotated[ModelSpec, Depends(_named)]


@router.get("/models")
def list_models(services: Given) -> PageAnswer[ModelAnswer]:
    """All of them, ours first, then your own; the list has one page."""
    specs = services.engine.catalogue.specs
    return PageAnswer(items=tuple(_model(services, spec) for spec in specs), next=None)


@router.get("/models/{name}")
def get_model(spec: Named, services: Given) -> ModelAnswer:
    """One model's card."""
    return _model(services, spec)


@router.post(
    "/models/{name}/acceptance",
    status_code=status.HTTP_201_CREATED,
    responses={200: {"model": AcceptanceAnswer, "description": "It was accepted before."}},
    openapi_extra=openapi.acceptance(),
)
async def accept_license(
    spec: Named, request: Request, services: Given, response: Response
) -> AcceptanceAnswer:
    """Accept the terms of a model that forbids uses; before that it doesn't run. An earlier
    acceptance of the same facts stays as it is.
    """
    accepted_by = _accepted_by(await Body(request, max_bytes=MAX_BODY_BYTES).read_all())
    acceptances = services.engine.weights.acceptances
    held, is_new = await run_in_threadpool(acceptances.accept, spec, by=accepted_by)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return _acceptance(held)


@router.delete("/models/{name}/acceptance", status_code=status.HTTP_204_NO_CONTENT)
def withdraw_acceptance(spec: Named, services: Given) -> None:
    """Take an acceptance back, if there is one: from now on the model doesn't run."""
    services.engine.weights.acceptances.withdraw(spec, by=NOBODY)


def _accepted_by(body: bytes) -> str:
    try:
        return AcceptanceQuestion.model_validate(parse_json(body)).accepted_by
    except ValidationError as error:
        found = field_errors(error.errors(include_url=False, include_context=False))
        raise InvalidRequest("the request is not valid", found) from error


def _model(services: Services, spec: ModelSpec) -> ModelAnswer:
    held = services.engine.weights.acceptances.of(spec)
    return ModelAnswer(
        name=spec.name,
        family=spec.family,
        tasks=tuple(sorted(spec.tasks)),
        license=spec.license.name,
        license_facts=_license(spec.license),
        acceptance=None if held is None else _acceptance(held),
        weights=_weights(services, spec),
        needs=spec.needs,
        extra=spec.extra,
        input=spec.input,
        labels=spec.reportable_labels,
        keypoint_names=spec.keypoint_names,
        intended_use=spec.intended_use,
        limits=spec.limits,
        training_data=spec.training_data,
        metrics=spec.metrics,
        everything_defaults=spec.everything_defaults,
    )


def _license(facts: License) -> LicenseAnswer:
    return LicenseAnswer(
        name=facts.name,
        gate=facts.gate,
        restricted=facts.is_restricted,
        forbids=facts.forbids,
        note=facts.note,
        facts_sha256=facts.sha256,
    )


def _acceptance(held: Acceptance) -> AcceptanceAnswer:
    return AcceptanceAnswer(
        model=held.model,
        license=held.license,
        facts_sha256=held.facts_sha256,
        accepted_by=held.accepted_by,
        accepted_at=held.at,
    )


def _weights(services: Services, spec: ModelSpec) -> WeightsAnswer:
    store = services.engine.weights
    is_present = store.is_present(spec)
    hub = spec.weights.hub if isinstance(spec.weights, SnapshotSpec) else None
    can_be_pulled = not is_present and (spec.weights.url or hub) is not None
    return WeightsAnswer(
        file=spec.weights.file,
        hub=hub,
        revision=store.revision(spec),
        files=_files(spec),
        sha256=store.known_sha256(spec),
        size_bytes=spec.weights.size_bytes,
        present=is_present,
        shipped=spec.weights.shipped,
        command=f"vision models pull {spec.name}" if can_be_pulled else None,
    )


def _files(spec: ModelSpec) -> tuple[str, ...]:
    if not isinstance(spec.weights, SnapshotSpec):
        return ()
    return (*spec.weights.files, *spec.weights.optional_files)
