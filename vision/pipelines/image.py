"""Images through the stages of a document: what a worker runs and what `vision batch` runs."""

from collections.abc import Sequence

from vision import __version__
from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.provenance import Provenance
from vision.models.pool import ModelPool
from vision.pipelines.document import PipelineDocument
from vision.pipelines.image_stages import opened_stages


class ImagePipeline:
    """A document with its models loaded. Cheap to make again while the pool holds the models."""

    def __init__(self, document: PipelineDocument, pool: ModelPool) -> None:
        """Raises WeightsMissing, WeightsMismatch, UnknownModel, InvalidRequest."""
        self._stages = opened_stages(document, pool)
        first = self._stages[0].model.identity
        self.provenance = Provenance(
            stages=tuple(stage.provenance for stage in self._stages),
            code_version=__version__,
            device=first.device,
            precision=first.precision,
        )

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        """One result per image, in order."""
        found = [Findings.empty() for _ in images]
        for stage in self._stages:
            found = stage.run(images, found)
        return found
