"""Where every object of a film really is, frame by frame, and its file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS_DIGITS = 6


@dataclass(frozen=True, slots=True)
class TrueBox:
    """One object in one frame in which it shows at least one pixel."""

    pts_seconds: float
    track: int
    """From 1. An object that has left the picture altogether comes back as another track, as in the
    MOT Challenge: nothing in the picture says that it is the same one. Hidden behind another
    object it stays the same."""
    object: int
    """From 1: the same also after it has been away."""
    label: str
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the upright frame, around the visible part."""
    visible_share: float
    """Of its pixels, those beyond the picture's border included."""
    is_ignored: bool
    """Hidden or cut off so far that neither finding nor missing it counts."""


@dataclass(frozen=True, slots=True)
class FilmTruth:
    """One film and everything in it."""

    file_name: str
    width: int
    """Of the upright frame, like the height."""
    height: int
    seconds: tuple[float, ...]
    """Of all frames, those with nothing in them included."""
    boxes: tuple[TrueBox, ...]
    """In order of time, then of object."""

    def by_frame(self) -> tuple[tuple[float, tuple[TrueBox, ...]], ...]:
        """Every frame's time and boxes."""
        rows: dict[float, list[TrueBox]] = {seconds: [] for seconds in self.seconds}
        for box in self.boxes:
            rows[box.pts_seconds].append(box)
        return tuple((seconds, tuple(boxes)) for seconds, boxes in rows.items())


def rounded(seconds: float) -> float:
    """As truth files have it."""
    return round(seconds, SECONDS_DIGITS)


def write_truth(path: Path, truth: FilmTruth) -> None:
    """JSON; a line for each box, so that changes can be read."""
    head = {
        "file_name": truth.file_name,
        "width": truth.width,
        "height": truth.height,
        "seconds": truth.seconds,
    }
    rows = ",\n".join(json.dumps(_row(box)) for box in truth.boxes)
    path.write_text(f'{json.dumps(head)[:-1]}, "boxes": [\n{rows}\n]}}\n', encoding="utf-8")


def _row(box: TrueBox) -> dict[str, object]:
    return {
        "pts_seconds": box.pts_seconds,
        "track": box.track,
        "object": box.object,
        "label": box.label,
        "box": [round(side) for side in box.box],
        "visible": box.visible_share,
        "ignored": box.is_ignored,
    }


def read_truth(path: Path) -> FilmTruth:
    document: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return FilmTruth(
        file_name=document["file_name"],
        width=document["width"],
        height=document["height"],
        seconds=tuple(document["seconds"]),
        boxes=tuple(_read_row(row) for row in document["boxes"]),
    )


def _read_row(row: Mapping[str, Any]) -> TrueBox:
    box: Sequence[float] = row["box"]
    return TrueBox(
        pts_seconds=row["pts_seconds"],
        track=row["track"],
        object=row["object"],
        label=row["label"],
        box=(box[0], box[1], box[2], box[3]),
        visible_share=row["visible"],
        is_ignored=row["ignored"],
    )
