"""The stages of a pipeline document and their parameters, each with its default."""

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vision.domain.run_lengths import mask_from_outside

Coordinate = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate, Literal[0, 1]]
BoxXyxy = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
Unit = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=-1_000_000, le=1_000_000, allow_inf_nan=False)]

Example = tuple[Coordinate, Coordinate, Coordinate, Coordinate, Literal[0, 1]]
Words = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]

MAX_WORDS = 50
"""In one request: each is a pass through the network."""
MAX_PROMPTS = 1000
"""Points or boxes in one request: SAM decodes each box, and memory grows with them."""


class Stage(BaseModel):
    """Says what it knows: other keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tiles(Stage):
    """Look at overlapping squares of the picture one by one: small things become large enough."""

    size: int = Field(default=640, ge=64, le=8192)
    """Of a square's side, in pixels."""
    overlap: float = Field(default=0.2, ge=0, le=0.9)
    """Of neighbours, as a part of `size`."""
    iou_threshold: Unit = 0.5
    """Of two boxes of one label that overlap more, the better one stays."""
    whole: bool = True
    """Look at the whole picture too: what is larger than a square is found there."""


class DetectStage(Stage):
    """Find objects of known classes."""

    model: str
    min_score: Unit = 0.5
    labels: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=1000)
    """Only these; None keeps all."""
    max_detections: int = Field(default=300, ge=1, le=1000)
    """The best this many of an image."""
    tile: Tiles | None = None
    """None shows the model the whole picture only."""


class PointedAt(Stage):
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


class Named(Stage):
    """All things that words name, or that resemble the examples."""

    text: tuple[Words, ...] = Field(default=(), max_length=MAX_WORDS)
    """Short noun phrases; each becomes the label of what it finds."""
    examples: tuple[Example, ...] = Field(default=(), max_length=MAX_PROMPTS)
    """[x1, y1, x2, y2, 1] for such a thing, with 0 for what isn't one; with one text at most."""
    min_score: Unit = 0.5
    max_detections: int = Field(default=300, ge=1, le=1000)

    @model_validator(mode="after")
    def _something_is_named(self) -> Self:
        if not self.text and not self.examples:
            raise ValueError("give at least one text or example")
        if self.examples and len(self.text) > 1:
            raise ValueError("with examples there is one text at most")
        if len(set(self.text)) != len(self.text):
            raise ValueError("a text stands there twice")
        if any(x2 <= x1 or y2 <= y1 for x1, y1, x2, y2, _ in self.examples):
            raise ValueError("an example is [x1, y1, x2, y2, 1 or 0] with x1 < x2 and y1 < y2")
        return self


class SegmentStage(Stage):
    """Masks: of the detector's boxes, of everything, of what is pointed at, or of what is named.

    The parameters after `prompt` belong to `everything`; but for `mode` they carry the names of
    `SamAutomaticMaskGenerator`. None takes the model's own default from the catalogue.
    """

    model: str
    prompt: Literal["boxes", "everything"] | PointedAt | Named = "boxes"
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
    mode: Literal["exact", "fast"] | None = None
    """exact, the default: the masks of `SamAutomaticMaskGenerator`, bit for bit. fast: the same but
    for rounding, sooner; of segment-anything's own models only."""

    @property
    def everything_parameters(self) -> dict[str, int | float | str]:
        """The parameters of `everything` that were given."""
        return self.model_dump(exclude={"model", "prompt"}, exclude_none=True)

    @model_validator(mode="after")
    def _parameters_belong_to_everything(self) -> Self:
        if self.prompt != "everything" and self.everything_parameters:
            names = ", ".join(sorted(self.everything_parameters))
            raise ValueError(f"{names}: only with prompt: everything")
        return self


class SampleStage(Stage):
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


class TrackStage(Stage):
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


class ClassifyStage(Stage):
    """Names for each picture as a whole, or, by models of actions, for stretches of a video."""

    model: str
    top: int = Field(default=5, ge=1, le=1000)
    """The best this many."""
    min_score: Unit = 0.0
    clip_seconds: float | None = Field(default=None, gt=0, le=3600, allow_inf_nan=False)
    """For models of actions: how long a stretch is; None is as many analysed frames as the model
    looks at together."""


class EmbedStage(Stage):
    """A vector of length 1 for each picture, or for each detection in it."""

    model: str
    of: Literal["image", "detections"] = "image"
    """image: each image and each analysed frame as a whole; detections: what lies in each box."""


def _checked_mask(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(mask_from_outside(document).to_json())


MaskJson = Annotated[Mapping[Literal["size", "counts"], Any], AfterValidator(_checked_mask)]


class PromptedObject(Stage):
    """One object of a video, pointed at in one of its frames."""

    id: int = Field(ge=1, lt=1_000_000)
    """Yours; it becomes the track's number. The same id again, later, is a correction."""
    at_seconds: Seconds | None = None
    """When: the analysed frame that is shown then. None is the first one."""
    points: tuple[Point, ...] = Field(default=(), max_length=100)
    box: BoxXyxy | None = None
    mask: MaskJson | None = None
    """COCO RLE of the frame's size; alone."""
    label: str | None = Field(default=None, min_length=1, max_length=200)
    """What to call it; None is "object"."""

    @model_validator(mode="after")
    def _one_kind_of_prompt(self) -> Self:
        if (self.mask is None) == (not self.points and self.box is None):
            raise ValueError("give points, a box or both, or else a mask")
        if self.box is not None and (self.box[2] <= self.box[0] or self.box[3] <= self.box[1]):
            raise ValueError("a box is [x1, y1, x2, y2] with x1 < x2 and y1 < y2")
        return self


class FollowStage(Stage):
    """Follow objects through a video, with a mask in every analysed frame: each becomes a track.

    What is followed: `objects` that are pointed at, all things that `text` names, or, with a detect
    stage, what the detector finds in one frame. An image is a video of one frame.
    """

    model: str
    objects: tuple[PromptedObject, ...] = Field(default=(), max_length=MAX_PROMPTS)
    text: tuple[Words, ...] = Field(default=(), max_length=MAX_WORDS)
    seed_seconds: Seconds | None = None
    """With a detect stage: in which frame the detector looks; None is the first analysed one."""
    direction: Literal["forward", "backward", "both"] = "forward"
    """From the first frame with a prompt to the end, from the last one to the beginning, or from
    the first one both ways: then what is prompted later is followed from there to the end only.
    What words name is followed from one end of the video to the other."""
    max_objects: int = Field(default=50, ge=1, le=1000)
    """Memory and time grow with every object; a detector's best, a text's first."""

    @model_validator(mode="after")
    def _every_object_has_room(self) -> Self:
        ids = {one.id for one in self.objects}
        if len(ids) > self.max_objects:
            raise ValueError(f"{len(ids)} objects; max_objects is {self.max_objects}")
        moments = [(one.id, one.at_seconds) for one in self.objects]
        if len(set(moments)) != len(moments):
            raise ValueError("an object is pointed at twice in one moment: give all points at once")
        return self

    @model_validator(mode="after")
    def _direction_leads_somewhere(self) -> Self:
        if self.text and self.direction == "both":
            raise ValueError("with text the direction is forward or backward")
        moments = [one.at_seconds for one in self.objects] or [self.seed_seconds]
        if self.direction == "backward" and not self.text and set(moments) == {None}:
            raise ValueError("nothing lies before the first frame: say at_seconds or seed_seconds")
        return self
