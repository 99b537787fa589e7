"""The pipeline document: what a caller may ask, as JSON or YAML. The same schema everywhere."""

import hashlib
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vision.domain.provenance import canonical_json
from vision.errors import FieldError, InvalidPipeline

Coordinate = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate, Literal[0, 1]]
BoxXyxy = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
Unit = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=-1_000_000, le=1_000_000, allow_inf_nan=False)]

MAX_PROMPTS = 1000
"""Points or boxes in one request: SAM decodes each box, and memory grows with them."""


class _Stage(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DetectStage(_Stage):
    """Find objects of known classes."""

    model: str
    min_score: Unit = 0.5
    labels: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=1000)
    """Only these; None keeps all."""
    max_detections: int = Field(default=300, ge=1, le=1000)
    """The best this many of an image."""


class PointedAt(_Stage):
    """Points (all of one object) and boxes (one object each), in pixels of the upright image."""

    points: tuple[Point, ...] = Field(default=(), max_length=MAX_PROMPTS)
    boxes: tuple[BoxXyxy, ...] = Field(default=(), max_length=MAX_PROMPTS)

    @model_validator(mode="after")
    def _something_is_pointed_at(self) -> Self:
        if not self.points and not self.boxes:
            raise ValueError("give at least one point or box")
        if any(x2 <= x1 or y2 <= y1 for x1, y1, x2, y2 in self.boxes):
            raise ValueError("a box is [x1, y1, x2, y2] with x1 < x2 and y1 < y2")
        return self


class SegmentStage(_Stage):
    """Masks: of the detector's boxes, of everything, or of what is pointed at.

    The parameters after `prompt` belong to `everything` and carry the names of
    `SamAutomaticMaskGenerator`; None takes the model's own default from the catalogue.
    """

    model: str
    prompt: Literal["boxes", "everything"] | PointedAt = "boxes"
    points_per_side: int | None = Field(default=None, ge=1, le=128)
    points_per_batch: int | None = Field(default=None, ge=1, le=4096)
    pred_iou_thresh: Unit | None = None
    stability_score_thresh: Unit | None = None
    stability_score_offset: float | None = Field(default=None, ge=0, le=100)
    box_nms_thresh: Unit | None = None
    crop_n_layers: int | None = Field(default=None, ge=0, le=4)
    crop_nms_thresh: Unit | None = None
    crop_overlap_ratio: Unit | None = None
    crop_n_points_downscale_factor: int | None = Field(default=None, ge=1, le=16)
    min_mask_region_area: int | None = Field(default=None, ge=0, le=1_000_000)

    @property
    def everything_parameters(self) -> dict[str, int | float]:
        """The parameters of `everything` that were given."""
        return self.model_dump(exclude={"model", "prompt"}, exclude_none=True)

    @model_validator(mode="after")
    def _parameters_belong_to_everything(self) -> Self:
        if self.prompt != "everything" and self.everything_parameters:
            names = ", ".join(sorted(self.everything_parameters))
            raise ValueError(f"{names}: only with prompt: everything")
        return self


class SampleStage(_Stage):
    """Which frames of a video are analysed. Images ignore it.

    Nothing given means every frame. Times are the container's own, as in every answer.
    """

    every_seconds: float | None = Field(default=None, gt=0, le=86_400, allow_inf_nan=False)
    """The first frame of each stretch of this length."""
    max_fps: float | None = Field(default=None, gt=0, le=1000, allow_inf_nan=False)
    """The same as every_seconds of 1 / max_fps."""
    every_frame: Literal[True] | None = None
    start_seconds: Seconds | None = None
    """No frame before it."""
    end_seconds: Seconds | None = None
    """Only frames before it."""
    keyframes_only: bool = False
    """Only frames that decode alone: the quickest look at a long video."""

    @property
    def step_seconds(self) -> Fraction | None:
        """Exactly the decimal number that was written; None is every frame."""
        if self.every_seconds is not None:
            return Fraction(str(self.every_seconds))
        return None if self.max_fps is None else 1 / Fraction(str(self.max_fps))

    @field_validator("max_fps", "every_frame")
    @classmethod
    def _one_measure(cls, value: Any, info: ValidationInfo) -> Any:
        others = [name for name in ("every_seconds", "max_fps") if info.data.get(name) is not None]
        if value is not None and others:
            raise ValueError(f"not together with {others[0]}")
        return value

    @field_validator("end_seconds")
    @classmethod
    def _ends_after_it_starts(cls, end: float | None, info: ValidationInfo) -> float | None:
        start = info.data.get("start_seconds")
        if start is not None and end is not None and end <= start:
            raise ValueError(f"not after start_seconds, which is {start:g}")
        return end


Algorithm: TypeAlias = Literal["bytetrack", "ocsort", "botsort", "sort"]

TRACK_PARAMETERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "bytetrack": frozenset(
            {
                "track_activation_threshold",
                "minimum_consecutive_frames",
                "minimum_iou_threshold",
                "high_conf_det_threshold",
            }
        ),
        "ocsort": frozenset(
            {"minimum_consecutive_frames", "minimum_iou_threshold", "high_conf_det_threshold"}
        ),
        "botsort": frozenset(
            {"track_activation_threshold", "minimum_consecutive_frames", "high_conf_det_threshold"}
        ),
        "sort": frozenset(
            {"track_activation_threshold", "minimum_consecutive_frames", "minimum_iou_threshold"}
        ),
    }
)
"""What each algorithm knows beside lost_track_seconds, by the names of the library `trackers`."""


class TrackStage(_Stage):
    """Follow the detections of a video through time, those of each label by themselves.

    None takes the default of the algorithm, see `vision.pipelines.tracking`. Images ignore it.
    """

    algorithm: Algorithm = "bytetrack"
    track_activation_threshold: Unit | None = None
    """The least score that begins a track."""
    minimum_consecutive_frames: int | None = Field(default=None, ge=1, le=1000)
    """Seen in so many analysed frames running, and in two at least, or it is no track."""
    minimum_iou_threshold: Unit | None = None
    """The least overlap of where a track should be and a detection that continues it."""
    high_conf_det_threshold: Unit | None = None
    """bytetrack and botsort look at detections below it second; ocsort not at all."""
    lost_track_seconds: float | None = Field(default=None, gt=0, le=3600, allow_inf_nan=False)
    """How long an object may be out of sight and keep its id; never less than it takes from one
    analysed frame to the next."""

    @property
    def given(self) -> dict[str, int | float]:
        """The parameters that were given."""
        return self.model_dump(exclude={"algorithm"}, exclude_none=True)

    @field_validator(
        "track_activation_threshold",
        "minimum_consecutive_frames",
        "minimum_iou_threshold",
        "high_conf_det_threshold",
    )
    @classmethod
    def _algorithm_knows_it(cls, value: Any, info: ValidationInfo) -> Any:
        known = TRACK_PARAMETERS.get(info.data.get("algorithm", ""))
        if value is not None and known is not None and info.field_name not in known:
            names = ", ".join(sorted(known | {"lost_track_seconds"}))
            raise ValueError(f"{info.data['algorithm']} has no such parameter; it has {names}")
        return value


class PipelineDocument(_Stage):
    """The stages, in the order in which they run; detect or segment is there."""

    sample: SampleStage | None = None
    """Of videos; None is every frame."""
    detect: DetectStage | None = None
    segment: SegmentStage | None = None
    track: TrackStage | None = None
    """Of videos, once all frames are analysed."""

    @field_validator("track")
    @classmethod
    def _there_is_something_to_follow(
        cls, track: TrackStage | None, info: ValidationInfo
    ) -> TrackStage | None:
        if track is not None and "detect" in info.data and info.data["detect"] is None:
            raise ValueError("needs a detect stage that finds what is followed")
        return track

    @model_validator(mode="after")
    def _stages_fit_each_other(self) -> Self:
        if self.detect is None and self.segment is None:
            raise ValueError("give at least one of detect, segment")
        if self.segment is None:
            return self
        if self.segment.prompt == "boxes" and self.detect is None:
            raise ValueError("segment.prompt: boxes needs a detect stage that gives the boxes")
        if self.segment.prompt != "boxes" and self.detect is not None:
            raise ValueError("with a detect stage, segment.prompt is boxes")
        return self

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
