"""Detections drawn on a picture, for a person to look at."""

from collections.abc import Iterator
from dataclasses import dataclass

from vision.domain.detections import ANY_OBJECT, Detection
from vision.domain.image import RgbImage
from vision.domain.track import NO_TRACK
from vision.media.drawing.canvas import Canvas
from vision.media.drawing.chips import Label, draw_labels
from vision.media.drawing.mask_layer import draw_mask
from vision.media.drawing.palette import Color, instance_color, label_color
from vision.media.drawing.skeleton import draw_keypoints
from vision.media.drawing.strokes import draw_box
from vision.media.overlay import Overlay

_BOX_BESIDE_MASK = 0.6
"""Of the usual line: where a mask shows the shape, its box stands back."""


@dataclass(frozen=True, slots=True)
class _Thing:
    """One row as it looks."""

    row: Detection
    color: Color
    text: str
    is_bare: bool
    """Only its mask is drawn."""


def draw(image: RgbImage, overlay: Overlay) -> RgbImage:
    """A new picture. A track keeps its colour through the video; without tracks a label has one
    colour everywhere, and things without a name have one each.

    From the ground up: masks, the largest first; boxes; keypoints; labels. Masks that nobody
    named get neither box nor label: hundreds of them would hide the picture.
    """
    canvas = Canvas(image)
    things = list(_things(overlay))
    if overlay.draw_masks:
        _draw_masks(canvas, things)
    named = [thing for thing in things if not thing.is_bare]
    for thing in reversed(named):
        if overlay.draw_boxes:
            has_outline = overlay.draw_masks and thing.row.mask is not None
            width = canvas.line * (_BOX_BESIDE_MASK if has_outline else 1)
            draw_box(canvas, thing.row.box, thing.color, width=width)
    for thing in named:
        if overlay.draw_keypoints and thing.row.keypoints is not None:
            draw_keypoints(canvas, thing.row.keypoints, thing.color)
    if overlay.draw_labels:
        draw_labels(canvas, [Label(one.text, one.color, one.row.box) for one in named])
    return canvas.pixels()


def _draw_masks(canvas: Canvas, things: list[_Thing]) -> None:
    masks = [(thing.row.mask, thing.color) for thing in things if thing.row.mask]
    for mask, color in sorted(masks, key=lambda pair: -pair[0].area):
        draw_mask(canvas, mask, color)


def _things(overlay: Overlay) -> Iterator[_Thing]:
    tracks = overlay.track_ids or (NO_TRACK,) * len(overlay.detections)
    for index, (row, track) in enumerate(zip(overlay.detections, tracks, strict=True)):
        is_nameless = row.label == ANY_OBJECT and track == NO_TRACK
        is_bare = is_nameless and row.mask is not None
        yield _Thing(row, _color(row, index, track=track), _text(row, track), is_bare)


def _color(row: Detection, index: int, *, track: int) -> Color:
    if track != NO_TRACK:
        return instance_color(track)
    return instance_color(index) if row.label == ANY_OBJECT else label_color(row.label)


def _text(row: Detection, track: int) -> str:
    name = row.label if track == NO_TRACK else f"{row.label} #{track}"
    return name if row.score is None else f"{name} {row.score:.2f}"
