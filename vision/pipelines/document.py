"""The pipeline document: what a caller may ask, as JSON or YAML. The same schema everywhere."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Self, TypeAlias

from pydantic import ValidationError, ValidationInfo, field_validator, model_validator

from vision.domain.provenance import canonical_json
from vision.errors import FieldError, InvalidPipeline
from vision.pipelines.stages import (
    ClassifyStage,
    DetectStage,
    EmbedStage,
    FollowStage,
    Named,
    SampleStage,
    SegmentStage,
    Stage,
    TrackStage,
)

ModelStage: TypeAlias = DetectStage | SegmentStage | FollowStage | EmbedStage | ClassifyStage
MODEL_STAGES = ("detect", "segment", "follow", "embed", "classify")
"""In the order in which they run."""


class PipelineDocument(Stage):
    """The stages, in the order in which they run; one that runs a model is there."""

    sample: SampleStage | None = None
    """Of videos; None is every frame."""
    detect: DetectStage | None = None
    segment: SegmentStage | None = None
    follow: FollowStage | None = None
    """Of videos; an image is one of a single frame."""
    track: TrackStage | None = None
    """Of videos, once all frames are analysed."""
    embed: EmbedStage | None = None
    classify: ClassifyStage | None = None

    @field_validator("track")
    @classmethod
    def _there_is_something_to_follow(
        cls, track: TrackStage | None, info: ValidationInfo
    ) -> TrackStage | None:
        if track is not None and info.data.get("follow") is not None:
            raise ValueError("not together with follow, which gives tracks of its own")
        if track is not None and not _finds_by_itself(info):
            raise ValueError("needs a detect stage that finds what is followed")
        return track

    @field_validator("follow")
    @classmethod
    def _follows_one_kind_of_thing(
        cls, follow: FollowStage | None, info: ValidationInfo
    ) -> FollowStage | None:
        if follow is None or "detect" not in info.data or "segment" not in info.data:
            return follow
        if info.data["segment"] is not None:
            raise ValueError("not together with segment: it gives masks of its own")
        sources = [bool(follow.objects), bool(follow.text), info.data["detect"] is not None]
        if sources.count(True) != 1:
            raise ValueError("give objects, or text, or a detect stage that says what is followed")
        if follow.seed_seconds is not None and info.data["detect"] is None:
            raise ValueError("seed_seconds needs a detect stage")
        return follow

    @field_validator("embed")
    @classmethod
    def _there_is_something_to_embed(
        cls, embed: EmbedStage | None, info: ValidationInfo
    ) -> EmbedStage | None:
        finders = ("detect", "segment", "follow")
        if embed is not None and embed.of == "detections" and not any(map(info.data.get, finders)):
            raise ValueError(f"of: detections needs one of {', '.join(finders)}")
        return embed

    @model_validator(mode="after")
    def _stages_fit_each_other(self) -> Self:
        if not any(True for _ in self.model_stages):
            raise ValueError(f"give at least one of {', '.join(MODEL_STAGES)}")
        if self.segment is None:
            return self
        if self.segment.prompt == "boxes" and self.detect is None:
            raise ValueError("segment.prompt: boxes needs a detect stage that gives the boxes")
        if self.segment.prompt != "boxes" and self.detect is not None:
            raise ValueError("with a detect stage, segment.prompt is boxes")
        return self

    @property
    def model_stages(self) -> Iterator[tuple[str, ModelStage]]:
        """Name and stage of those that run a model, in their order."""
        for name in MODEL_STAGES:
            stage = getattr(self, name)
            if stage is not None:
                yield name, stage

    @property
    def normal_form(self) -> dict[str, object]:
        """JSON with defaults filled in: documents that mean the same are equal."""
        # Every frame is what the absence of a measure means: said or not, the document is the same.
        unsaid = {"sample": {"every_frame"}}
        form = self.model_dump(mode="json", exclude_none=True, exclude=unsaid)
        if form.get("sample") == {"keyframes_only": False}:
            del form["sample"]
        return form

    @property
    def sha256(self) -> str:
        """Of the normal form, hexadecimal."""
        return hashlib.sha256(canonical_json(self.normal_form)).hexdigest()


def _finds_by_itself(info: ValidationInfo) -> bool:
    """Whether detections come out of every frame; True where that can't be known."""
    if "detect" not in info.data or "segment" not in info.data:
        return True  # said already: that stage is wrong
    detect, segment = info.data["detect"], info.data["segment"]
    return detect is not None or (segment is not None and isinstance(segment.prompt, Named))


def parse_pipeline(document: object) -> PipelineDocument:
    """Raises InvalidPipeline naming every wrong field."""
    if not isinstance(document, Mapping):
        raise InvalidPipeline("a pipeline is an object with stages such as detect and segment")
    try:
        return PipelineDocument.model_validate(document)
    except ValidationError as error:
        raise InvalidPipeline("the pipeline is not valid", _field_errors(error)) from error


def _field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    return tuple(
        FieldError(".".join(str(part) for part in problem["loc"]) or "pipeline", problem["msg"])
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    )
