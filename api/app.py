"""The application: `uvicorn api.app:create_app --factory`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import Lifespan

from api import openapi, problems
from api.border import Border
from api.metrics import Metrics
from api.routes import (
    annotated,
    assets,
    classifications,
    content,
    counts,
    detections,
    embeddings,
    events,
    export,
    health,
    items,
    jobs,
    models,
    pipelines,
    retrack,
    submit,
    tracks,
)
from api.services import open_services
from vision import __version__
from vision.settings import Settings

ROUTES = (
    assets,
    content,
    submit,
    jobs,
    retrack,
    events,
    items,
    annotated,
    detections,
    classifications,
    embeddings,
    tracks,
    counts,
    export,
    models,
    pipelines,
    health,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The whole API. Without `settings` they are read from the environment, here and once."""
    metrics = Metrics()
    app = FastAPI(
        title="Vision Service",
        summary=openapi.SUMMARY,
        description=openapi.DESCRIPTION,
        version=__version__,
        docs_url=None,  # the documentation page would load its scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan_of(settings or Settings(), metrics),
        responses=openapi.EVERY_ERROR,
    )
    for module in ROUTES:
        app.include_router(module.router)
    app.add_middleware(Border, metrics=metrics)
    problems.add_handlers(app)
    openapi.complete(app)
    return app


def _lifespan_of(settings: Settings, metrics: Metrics) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with open_services(settings, metrics) as services:
            app.state.services = services
            yield

    return lifespan
