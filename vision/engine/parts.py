"""Opens everything an entry point needs, from settings. No torch: the API uses it too."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from vision.engine.ingest import Ingest
from vision.engine.station import Pace
from vision.engine.submit import Submissions, SubmitLimits
from vision.engine.tick import Tick
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits
from vision.models.catalogue import Catalogue
from vision.models.own_models import OWN_CATALOGUE
from vision.models.weights import WeightsStore
from vision.settings import Settings
from vision.storage.assets import AssetStore
from vision.storage.blobs import BlobStore
from vision.storage.classifications import ClassificationStore
from vision.storage.database import Database
from vision.storage.detections import DetectionStore
from vision.storage.embeddings import EmbeddingStore
from vision.storage.jobs import JobStore
from vision.storage.tracks import TrackStore
from vision.storage.units import UnitStore


@dataclass(frozen=True, slots=True)
class Engine:
    """The open parts of one process. A context manager; closing ends the decode process."""

    database: Database
    assets: AssetStore
    jobs: JobStore
    units: UnitStore
    detections: DetectionStore
    tracks: TrackStore
    embeddings: EmbeddingStore
    classifications: ClassificationStore
    blobs: BlobStore
    catalogue: Catalogue
    weights: WeightsStore
    decoder: DecodeProcess
    """Starts its process at the first use."""
    submissions: Submissions
    ingest: Ingest
    tick: Tick

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.decoder.close()
        self.database.close()


def open_engine(settings: Settings) -> Engine:
    """Opens, and makes the folders of the embedded profile; doesn't migrate (see `migrate`)."""
    database = Database(database_url(settings))
    assets, jobs, units = AssetStore(database), JobStore(database), UnitStore(database)
    blobs = BlobStore.open(blobs_url(settings))
    catalogue = Catalogue.load(models_dir(settings) / OWN_CATALOGUE)
    weights = WeightsStore(models_dir(settings))
    decoder = DecodeProcess(decode_limits(settings))
    return Engine(
        database=database,
        assets=assets,
        jobs=jobs,
        units=units,
        detections=DetectionStore(database),
        tracks=TrackStore(database),
        embeddings=EmbeddingStore(database),
        classifications=ClassificationStore(database),
        blobs=blobs,
        catalogue=catalogue,
        weights=weights,
        decoder=decoder,
        submissions=Submissions(
            jobs, catalogue, acceptances=weights.acceptances, limits=submit_limits(settings)
        ),
        ingest=Ingest(assets, blobs, prober=decoder),
        tick=Tick(units, jobs=jobs, assets=assets, blobs=blobs, max_fails=settings.max_fails),
    )


def database_url(settings: Settings) -> str:
    """As set, else SQLite in the data folder, which is made."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return f"sqlite:///{_made(settings.data_dir) / 'vision.sqlite'}"


def blobs_url(settings: Settings) -> str:
    """As set, else a folder in the data folder, which is made."""
    return settings.blobs_url or _made(settings.data_dir / "blobs").as_uri()


def broker_url(settings: Settings) -> str:
    """As set, else Celery's file-system broker in the data folder: filesystem:///FOLDER."""
    if settings.broker_url is not None:
        return settings.broker_url.get_secret_value()
    return f"filesystem://{_made(settings.data_dir / 'bell')}"


def models_dir(settings: Settings) -> Path:
    """As set, else a folder in the data folder; it may not exist yet."""
    return (settings.models_dir or settings.data_dir / "models").absolute()


def decode_limits(settings: Settings) -> DecodeLimits:
    return DecodeLimits(
        max_pixels=settings.max_image_pixels,
        seconds=settings.decode_seconds,
        memory_bytes=settings.decode_memory_bytes,
        max_video_seconds=settings.max_video_seconds,
        max_video_frames=settings.max_video_frames,
    )


def submit_limits(settings: Settings) -> SubmitLimits:
    return SubmitLimits(
        max_assets_per_job=settings.max_assets_per_job, max_open_units=settings.max_open_units
    )


def pace(settings: Settings) -> Pace:
    return Pace(
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        stall_seconds=settings.stall_seconds,
        drain_seconds=settings.drain_seconds,
        max_fails=settings.max_fails,
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute()
