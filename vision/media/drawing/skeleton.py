"""Keypoints as dots, and a person's seventeen as a skeleton."""

import numpy as np
from numpy.typing import NDArray

from vision.media.drawing.canvas import Canvas
from vision.media.drawing.palette import WHITE, Color
from vision.media.drawing.strokes import draw_dot, draw_line

_LEFT: Color = (255, 164, 40)
_RIGHT: Color = (40, 200, 255)
_MIDDLE: Color = (130, 235, 90)

_LIMBS: tuple[tuple[int, int, Color], ...] = (
    (0, 1, _MIDDLE),
    (0, 2, _MIDDLE),
    (1, 3, _LEFT),
    (2, 4, _RIGHT),
    (5, 6, _MIDDLE),
    (5, 11, _LEFT),
    (6, 12, _RIGHT),
    (11, 12, _MIDDLE),
    (5, 7, _LEFT),
    (7, 9, _LEFT),
    (6, 8, _RIGHT),
    (8, 10, _RIGHT),
    (11, 13, _LEFT),
    (13, 15, _LEFT),
    (12, 14, _RIGHT),
    (14, 16, _RIGHT),
)
"""By COCO's order: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left first."""
_PERSON_POINTS = 17
_MIN_SCORE = 0.0
"""Keypoint R-CNN's scores are heatmap logits: below zero it doesn't see the joint."""
_SHADE: Color = (20, 20, 20)


def draw_keypoints(canvas: Canvas, keypoints: NDArray[np.float32], color: Color) -> None:
    """(k, 3): x, y in pixels and score; points that the model doesn't see are left out."""
    is_seen = keypoints[:, 2] > _MIN_SCORE
    points = [(float(x), float(y)) for x, y, _ in keypoints]
    if len(points) == _PERSON_POINTS:
        _draw_limbs(canvas, points, is_seen)
    for point, seen in zip(points, is_seen, strict=True):
        if seen:
            draw_dot(canvas, point, WHITE, radius=1.7 * canvas.line)
            draw_dot(canvas, point, color, radius=1.1 * canvas.line)


def _draw_limbs(
    canvas: Canvas, points: list[tuple[float, float]], is_seen: NDArray[np.bool_]
) -> None:
    limbs = [limb for limb in _LIMBS if is_seen[limb[0]] and is_seen[limb[1]]]
    for start, end, _ in limbs:
        draw_line(canvas, points[start], points[end], _SHADE, width=2.2 * canvas.line)
    for start, end, color in limbs:
        draw_line(canvas, points[start], points[end], color, width=1.5 * canvas.line)
