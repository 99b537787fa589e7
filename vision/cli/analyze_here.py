"""One decoded picture through a pipeline. Torch."""

from vision.allocator import keep_large_blocks
from vision.cli.analysis import Analysis
from vision.engine.parts import models_dir
from vision.media.decoded_image import DecodedImage
from vision.models.catalogue import Catalogue
from vision.models.own_models import OWN_CATALOGUE
from vision.models.pool import ModelPool
from vision.models.weights import WeightsStore
from vision.pipelines.document import PipelineDocument
from vision.pipelines.image import ImagePipeline
from vision.settings import Settings


def analyzed(decoded: DecodedImage, document: PipelineDocument, settings: Settings) -> Analysis:
    """Raises OperatorError for models that can't be loaded."""
    folder = models_dir(settings)
    pool = ModelPool(
        Catalogue.load(folder / OWN_CATALOGUE),
        WeightsStore(folder),
        device=settings.device,
        precision=settings.precision,
        memory_bytes=settings.model_memory_bytes,
        cpu_precision=settings.cpu_precision,
        compiles=settings.compile_models,
    )
    if pool.placement.device == "cpu":
        keep_large_blocks()
    pipeline = ImagePipeline(document, pool)
    return Analysis(pipeline.run([decoded.image])[0], decoded.facts, pipeline.provenance)
