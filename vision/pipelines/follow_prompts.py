"""What a pipeline document points at, as prompts of a model."""

from collections.abc import Sequence

import numpy as np

from vision.domain.detections import ANY_OBJECT, Detections
from vision.domain.image import ImageSize
from vision.domain.run_lengths import mask_from_outside
from vision.errors import InvalidRequest
from vision.models.video import ObjectPrompt
from vision.pipelines.stages import PromptedObject


def prompt_of(one: PromptedObject) -> ObjectPrompt:
    """What the stage says of one object in one frame."""
    return ObjectPrompt(
        one.id,
        points=np.array(one.points, np.float32) if one.points else None,
        box=None if one.box is None else np.array(one.box, np.float32),
        mask=None if one.mask is None else mask_from_outside(one.mask),
    )


def first_of(objects: Sequence[PromptedObject]) -> tuple[PromptedObject, ...]:
    """Those that are pointed at in the first moment: an image is a video of one frame."""
    moments = [-np.inf if one.at_seconds is None else one.at_seconds for one in objects]
    first = min(moments, default=0.0)
    return tuple(one for one, moment in zip(objects, moments, strict=True) if moment == first)


def names_of(objects: Sequence[PromptedObject]) -> dict[int, str]:
    """What each object is called, by its id: as the first of its prompts with a label says."""
    names: dict[int, str] = {}
    for one in objects:
        if one.label is not None:
            names.setdefault(one.id, one.label)
    return {one.id: names.get(one.id, ANY_OBJECT) for one in objects}


def prompts_of(found: Detections) -> tuple[ObjectPrompt, ...]:
    """The boxes of what a detector found, numbered from 1 in its order."""
    return tuple(ObjectPrompt(number, box=box) for number, box in enumerate(found.boxes, start=1))


def require_inside(objects: Sequence[PromptedObject], size: ImageSize) -> None:
    """Raises InvalidRequest for what is pointed at outside of frames of this size."""
    for one in objects:
        if one.mask is not None and mask_from_outside(one.mask).size != size:
            raise InvalidRequest(
                f"the mask of object {one.id} has another size than the frames, which are "
                f"{size.width}x{size.height}"
            )
        corners = [one.box[:2], one.box[2:]] if one.box else []
        for x, y in [*corners, *(point[:2] for point in one.points)]:
            if x > size.width or y > size.height:
                raise InvalidRequest(
                    f"object {one.id} is pointed at outside of the frames, which are "
                    f"{size.width}x{size.height}"
                )
