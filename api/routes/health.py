"""What watches us: is the process there, could it work, how much does it."""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import Response

from api import openapi
from api.problems import RETRY_AFTER_SECONDS, problem
from api.schemas.base import Answer
from api.services import Given, Services
from vision.errors import TemporaryError
from vision.storage.migrate import is_current

router = APIRouter(tags=["health"])

_OK: Final = "ok"


class Health(Answer):
    """The process answers."""

    status: str = _OK


class Readiness(Health):
    """Each thing the API can't do without. Redis isn't among them: requests never touch it."""

    database: str
    migrations: str
    blobs: str


@router.get("/livez")
async def live() -> Health:
    """200 while the process answers, whatever else is broken."""
    return Health()


@router.get("/readyz", response_model=Readiness)
def ready(request: Request, services: Given) -> Readiness | Response:
    """200 when the database can be written and is migrated, and blobs can be written; else 503."""
    found = _found(services)
    wrong = [f"{name}: {state}" for name, state in found.items() if state != _OK]
    if not wrong:
        return Readiness(**found)
    return problem(
        503,
        "not_ready",
        detail="; ".join(wrong),
        request_id=request.state.request_id,
        retryable=True,
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses=openapi.file_answer("text/plain", description="Prometheus' text format."),
)
def metrics(services: Given) -> Response:
    """Requests, upload bytes, and the work that waits."""
    return Response(services.metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _found(services: Services) -> dict[str, str]:
    engine = services.engine
    return {
        "database": _state(engine.database.check, "can't be written"),
        "migrations": _state(lambda: _require_current(services), "run `vision migrate`"),
        "blobs": _state(engine.blobs.check, "can't be written"),
    }


def _require_current(services: Services) -> None:
    if not is_current(services.engine.database):
        raise _NotMigrated("the schema is another one")


def _state(check: Callable[[], object], otherwise: str) -> str:
    try:
        check()
    except TemporaryError:
        return otherwise
    return _OK


class _NotMigrated(TemporaryError):
    """The database waits for `vision migrate`."""
