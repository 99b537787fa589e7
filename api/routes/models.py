"""The catalogue of models, and which of them are ready to use here."""

from fastapi import APIRouter

from api.schemas.base import PageAnswer
from api.schemas.models import ModelAnswer, WeightsAnswer
from api.services import Given, Services
from vision.models.spec import ModelSpec

router = APIRouter(prefix="/v1", tags=["models"])


@router.get("/models")
def list_models(services: Given) -> PageAnswer[ModelAnswer]:
    """All of them, ours first, then your own; the list has one page."""
    specs = services.engine.catalogue.specs
    return PageAnswer(items=tuple(_model(services, spec) for spec in specs), next=None)


@router.get("/models/{name}")
def get_model(name: str, services: Given) -> ModelAnswer:
    """One model's card."""
    return _model(services, services.engine.catalogue[name])


def _model(services: Services, spec: ModelSpec) -> ModelAnswer:
    return ModelAnswer(
        name=spec.name,
        family=spec.family,
        tasks=tuple(sorted(spec.tasks)),
        license=spec.license,
        weights=_weights(services, spec),
        input=spec.input,
        labels=spec.reportable_labels,
        keypoint_names=spec.keypoint_names,
        intended_use=spec.intended_use,
        limits=spec.limits,
        metrics=spec.metrics,
        everything_defaults=spec.everything_defaults,
    )


def _weights(services: Services, spec: ModelSpec) -> WeightsAnswer:
    store = services.engine.weights
    is_present = store.is_present(spec)
    can_be_pulled = not is_present and spec.weights.url is not None
    return WeightsAnswer(
        file=spec.weights.file,
        sha256=store.sha256(spec) if is_present else spec.weights.sha256,
        size_bytes=spec.weights.size_bytes,
        present=is_present,
        shipped=spec.weights.shipped,
        command=f"vision models pull {spec.name}" if can_be_pulled else None,
    )
