"""What the routes work with, opened once per process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Annotated

from fastapi import Depends, Request

from api.decoders import POOL_SIZE, DecoderPool
from api.metrics import Metrics
from api.sightings import Sightings
from api.staging import Staging
from vision.domain.job import DEFAULT_TENANT, MAX_ITEMS_PER_UNIT, Job
from vision.engine.ingest import Ingest
from vision.engine.kept_files import KeptFiles
from vision.engine.parts import Engine, broker_url, decode_limits, open_engine
from vision.engine.tick import MAX_BELLS
from vision.settings import Settings
from workers.queue import Bell


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How much one request may bring."""

    max_upload_bytes: int
    max_files: int


@dataclass(frozen=True, slots=True)
class Services:
    """The open parts of one API process."""

    engine: Engine
    ingest: Ingest
    """The engine's, but with the pool: several uploads are probed at once."""
    decoders: DecoderPool
    originals: KeptFiles
    """For who looks at one video moment by moment."""
    sightings: Sightings
    bell: Bell
    staging: Staging
    limits: RequestLimits
    metrics: Metrics

    def ring_for(self, job: Job) -> None:
        """Wakes as many workers as the job has units; returns at once, with or without Redis."""
        per_unit = MAX_ITEMS_PER_UNIT if job.video is None else 1
        units = ceil((job.items_total - job.items_done) / per_unit)
        self.bell.ring(min(max(units, 1), MAX_BELLS))


@contextmanager
def open_services(settings: Settings, metrics: Metrics) -> Iterator[Services]:
    """Closed on leaving: decode processes end, the bell is rung a last time."""
    with open_engine(settings) as engine:
        decoders = DecoderPool(decode_limits(settings))
        bell = Bell(broker_url(settings))
        metrics.watch_queue(engine.jobs)
        try:
            yield Services(
                engine=engine,
                ingest=Ingest(engine.assets, engine.blobs, prober=decoders),
                decoders=decoders,
                originals=KeptFiles(engine.blobs, files=POOL_SIZE + 1),
                sightings=Sightings(engine.jobs.get),
                bell=bell,
                staging=Staging(engine.blobs.staging),
                limits=RequestLimits(settings.max_upload_bytes, settings.max_files_per_request),
                metrics=metrics,
            )
        finally:
            bell.close()
            decoders.close()


# Dependencies are async although they wait for nothing: a plain function would cost a thread hop.
async def _services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _tenant_of() -> str:
    """Whose data this is. Everybody's, until there are keys."""
    return DEFAULT_TENANT


Given = Annotated[Services, Depends(_services_of)]
Tenant = Annotated[str, Depends(_tenant_of)]
