"""Detections drawn on a picture, for a person to look at."""

from vision.domain.detections import ANY_OBJECT, Detection
from vision.domain.image import RgbImage
from vision.media.drawing.canvas import Canvas
from vision.media.drawing.chips import Label, draw_labels
from vision.media.drawing.mask_layer import draw_mask
from vision.media.drawing.palette import Color, instance_color, label_color
from vision.media.drawing.skeleton import draw_keypoints
from vision.media.drawing.strokes import draw_box
from vision.media.overlay import Overlay

_BOX_BESIDE_MASK = 0.6
"""Of the usual line: where a mask shows the shape, its box stands back."""


def draw(image: RgbImage, overlay: Overlay) -> RgbImage:
    """A new picture. A label has one colour everywhere; things without a name have one each.

    From the ground up: masks, the largest first; boxes; keypoints; labels. Masks that nobody
    named get neither box nor label: hundreds of them would hide the picture.
    """
    canvas = Canvas(image)
    rows = list(overlay.detections)
    colors = [_color(row, index) for index, row in enumerate(rows)]
    if overlay.draw_masks:
        _draw_masks(canvas, rows, colors)
    named = [(row, color) for row, color in zip(rows, colors, strict=True) if not _is_bare(row)]
    for row, color in reversed(named):
        if overlay.draw_boxes:
            has_outline = overlay.draw_masks and row.mask is not None
            width = canvas.line * (_BOX_BESIDE_MASK if has_outline else 1)
            draw_box(canvas, row.box, color, width=width)
    for row, color in named:
        if overlay.draw_keypoints and row.keypoints is not None:
            draw_keypoints(canvas, row.keypoints, color)
    if overlay.draw_labels:
        draw_labels(canvas, [Label(_text(row), color, row.box) for row, color in named])
    return canvas.pixels()


def _draw_masks(canvas: Canvas, rows: list[Detection], colors: list[Color]) -> None:
    masks = [(row.mask, color) for row, color in zip(rows, colors, strict=True) if row.mask]
    for mask, color in sorted(masks, key=lambda pair: -pair[0].area):
        draw_mask(canvas, mask, color)


def _is_bare(row: Detection) -> bool:
    return row.label == ANY_OBJECT and row.mask is not None


def _color(row: Detection, index: int) -> Color:
    return instance_color(index) if row.label == ANY_OBJECT else label_color(row.label)


def _text(row: Detection) -> str:
    return row.label if row.score is None else f"{row.label} {row.score:.2f}"
