"""The pipeline document: what a caller may ask, as JSON or YAML. The same schema everywhere."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vision.domain.provenance import canonical_json
from vision.errors import FieldError, InvalidPipeline

Coordinate = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate, Literal[0, 1]]
BoxXyxy = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
Unit = Annotated[float, Field(ge=0, le=1)]

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


class PipelineDocument(_Stage):
    """The stages, in the order in which they run; at least one is there."""

    detect: DetectStage | None = None
    segment: SegmentStage | None = None

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
        return self.model_dump(mode="json", exclude_none=True)

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
