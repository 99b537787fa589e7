"""The truth of a film, collected while its frames are made."""

from collections.abc import Iterator, Mapping

import numpy as np

from samples.filming.film import FilmFrame
from samples.filming.truth import TrueBox, rounded
from samples.scenes.annotations import annotate
from samples.scenes.objects import KINDS

SHARE_DIGITS = 3


class TruthRecord:
    """Boxes and tracks of the frames so far."""

    def __init__(self) -> None:
        self.boxes: list[TrueBox] = []
        self._tracks: dict[int, int] = {}
        self._count = 0

    def add(self, seconds: float, frame: FilmFrame) -> None:
        """The next frame in order of time."""
        inside = {int(number) + 1 for number in np.flatnonzero(frame.inside_areas)}
        self._tracks = {one: track for one, track in self._tracks.items() if one in inside}
        for number in sorted(inside - self._tracks.keys()):
            self._count += 1
            self._tracks[number] = self._count
        self.boxes += _boxes_of(frame, self._tracks, seconds=rounded(seconds))


def _boxes_of(frame: FilmFrame, tracks: Mapping[int, int], *, seconds: float) -> Iterator[TrueBox]:
    found = annotate(frame.scene)
    pixels = np.bincount(frame.scene.instances.ravel())
    for row, number in enumerate(found.numbers.tolist()):
        x1, y1, x2, y2 = found.boxes[row].tolist()
        share = int(pixels[number]) / int(frame.scene.full_areas[number - 1])
        yield TrueBox(
            pts_seconds=seconds,
            track=tracks[number],
            object=number,
            label=KINDS[int(found.class_ids[row]) - 1].label,
            box=(x1, y1, x2, y2),
            visible_share=round(share, SHARE_DIGITS),
            is_ignored=bool(found.is_ignored[row]),
        )
