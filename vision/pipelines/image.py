"""Pictures through the stages of a document: what a worker runs and what `vision batch` runs."""

from collections.abc import Sequence

from vision import __version__
from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.provenance import Provenance
from vision.domain.video import Chunk, Frame
from vision.errors import NeedsVideo
from vision.models.base import Model, ModelIdentity
from vision.models.pool import ModelPool
from vision.models.spec import Task
from vision.pipelines.clips import ClipRun, Clips
from vision.pipelines.document import PipelineDocument
from vision.pipelines.following import Following, FollowRun
from vision.pipelines.frames_run import FramesAlone, FramesRun, StretchEnd
from vision.pipelines.image_stages import StageRun, opened_stages


class ImagePipeline:
    """A document with its models loaded. Cheap to make again while the pool holds the models."""

    def __init__(self, document: PipelineDocument, pool: ModelPool) -> None:
        """Raises WeightsMissing, WeightsMismatch, UnknownModel, InvalidRequest."""
        self._follow = None if document.follow is None else FollowRun(document, pool)
        self._clips = _clip_run(document, pool)
        # The rest looks at one picture at a time; a detector that seeds is part of following.
        others = {"detect": None} if self._follow else {}
        others |= {"classify": None} if self._clips else {}
        self._stages = opened_stages(document.model_copy(update=others), pool)
        self._frame_stages = tuple(stage.for_frames() for stage in self._stages)
        self.provenance = self._provenance()

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        """One result per image, in order. Raises NeedsVideo, InvalidRequest."""
        if self._clips is not None:
            raise NeedsVideo("what happens can only be told of a video; this is an image")
        follow = self._follow
        found = [Findings.empty() for _ in images] if follow is None else follow.run(images)
        return through(self._stages, images, found)

    def open_frames(self, chunk: Chunk, state: bytes | None = None) -> FramesRun:
        """For the frames of one chunk. `state` is what the chunk before it in its chain left.

        Raises NothingToFollow.
        """
        if self._follow is None and self._clips is None:
            return FramesAlone(self._run_frames)
        following = None if self._follow is None else Following(self._follow, chunk, state)
        clips = None if self._clips is None else self._clips.open()
        return _Remembering(following, self._frame_stages, clips)

    def _run_frames(self, images: Sequence[RgbImage]) -> list[Findings]:
        return through(self._frame_stages, images, [Findings.empty() for _ in images])

    def _provenance(self) -> Provenance:
        followed = () if self._follow is None else self._follow.provenances
        clips = () if self._clips is None else (self._clips.provenance,)
        first = self._first_identity()
        return Provenance(
            stages=(*followed, *(stage.provenance for stage in self._stages), *clips),
            code_version=__version__,
            device=first.device,
            precision=first.precision,
        )

    def _first_identity(self) -> ModelIdentity:
        if self._follow is not None:
            return self._follow.segmenter.identity
        if self._stages:
            return self._stages[0].model.identity
        assert self._clips is not None, "a document has a stage that runs a model"
        return self._clips.identity


class _Remembering(FramesRun):
    """Frames whose masks follow from those before, or that are looked at in stretches."""

    remembers = True

    def __init__(
        self, following: Following | None, stages: Sequence[StageRun[Model]], clips: Clips | None
    ) -> None:
        self._following, self._stages, self._clips = following, stages, clips
        self.stands_alone = following is None

    def run(self, frames: Sequence[Frame]) -> list[Findings]:
        images = [frame.image for frame in frames]
        if self._following is None:
            found = [Findings.empty() for _ in frames]
        else:
            found = [Findings(self._following.show(frame)) for frame in frames]
        return through(self._stages, images, found)

    def watch(self, frames: Sequence[Frame]) -> None:
        if self._clips is not None:
            for frame in frames:
                self._clips.add(frame)

    def end(self) -> StretchEnd:
        return StretchEnd(
            clips=() if self._clips is None else self._clips.end(),
            state=None if self._following is None else self._following.state(),
        )


def through(
    stages: Sequence[StageRun[Model]], images: Sequence[RgbImage], found: list[Findings]
) -> list[Findings]:
    """What the stages make of it, one after the other."""
    for stage in stages:
        found = stage.run(images, found)
    return found


def _clip_run(document: PipelineDocument, pool: ModelPool) -> ClipRun | None:
    """None when pictures are classified, or nothing."""
    stage = document.classify
    if stage is None or Task.ACTIONS not in pool.catalogue[stage.model].tasks:
        return None
    return ClipRun(stage, pool)
