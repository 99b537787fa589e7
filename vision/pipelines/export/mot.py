"""MOT Challenge's layout: a zip with a folder per video.

`det/det.txt` has every detection with its score, `gt/gt.txt` the tracks, `gt/labels.txt` the names
of the classes, `seqinfo.ini` size, length and rate, and `frames.csv` (not MOT's) which frames were
analysed and when they are shown. Frames, ids, classes and pixels count from 1; a frame is that of
the source video, so that other people's files about the same video fit.
"""

from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from vision.domain.job import Item
from vision.domain.media import MediaKind
from vision.domain.stored import StoredDetection
from vision.domain.video import FrameTimes
from vision.errors import InvalidRequest
from vision.pipelines.export.archive import Archive, stems
from vision.pipelines.export.class_numbers import ClassNumbers
from vision.pipelines.export.findings import JobFindings, Picture

_UNKNOWN = -1
_IS_CONSIDERED, _FULLY_VISIBLE = 1, 1
"""Of a row in gt.txt; how much of an object is hidden is not known."""


def write_mot(findings: JobFindings, file: BinaryIO) -> None:
    """Images of the job are left out. Raises InvalidRequest when there are only images."""
    require_videos(findings, "mot")
    names = stems(findings.items)
    classes = ClassNumbers({label for item in findings.items for label in item.counts})
    with Archive(file) as archive:
        for item, pictures in findings.by_item():
            if item.facts.kind is MediaKind.VIDEO:
                _write_sequence(
                    archive, findings, item, pictures, name=names[item.index], classes=classes
                )


def require_videos(findings: JobFindings, name: str) -> None:
    """Raises InvalidRequest."""
    if not any(item.facts.kind is MediaKind.VIDEO for item in findings.items):
        raise InvalidRequest(f"format {name!r} is for videos; this job has images only")


def _write_sequence(
    archive: Archive,
    findings: JobFindings,
    item: Item,
    pictures: Iterator[Picture],
    *,
    name: str,
    classes: ClassNumbers,
) -> None:
    archive.write(f"{name}/seqinfo.ini", _sequence_info(item, name))
    with archive.entry(f"{name}/frames.csv") as file:
        file.writelines(_frame_lines(findings.frame_times(item)))
    with archive.entry(f"{name}/det/det.txt") as file:
        file.writelines(_detection_lines(pictures))
    tracks = _track_lines(findings, item, classes)
    # An empty gt.txt would say that there is nothing to follow.
    for first in tracks:
        with archive.entry(f"{name}/gt/gt.txt") as file:
            file.writelines(chain((first,), tracks))
        archive.write(f"{name}/gt/labels.txt", "".join(f"{one}\n" for one in classes.labels()))


def _frame_lines(times: FrameTimes) -> Iterator[str]:
    yield "frame,pts_seconds\n"
    for index, seconds in zip(times.frame_index, times.pts_seconds, strict=True):
        yield f"{int(index) + 1},{float(seconds)!r}\n"


def _detection_lines(pictures: Iterator[Picture]) -> Iterator[str]:
    for picture in pictures:
        for stored in picture.detections:
            score = 1.0 if stored.score is None else stored.score
            yield f"{_row(stored, _UNKNOWN)},{score:.4g},-1,-1,-1\n"


def _track_lines(findings: JobFindings, item: Item, classes: ClassNumbers) -> Iterator[str]:
    for track in findings.tracks(item):
        number = classes.of(track.label) + 1
        for stored in findings.along(item, track):
            row = _row(stored, track.track_id)
            yield f"{row},{_IS_CONSIDERED},{number},{_FULLY_VISIBLE}\n"


def _row(stored: StoredDetection, track_id: int) -> str:
    x1, y1, x2, y2 = stored.box
    corner = f"{x1 + 1:.2f},{y1 + 1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}"
    return f"{(stored.frame_index or 0) + 1},{track_id},{corner}"


def _sequence_info(item: Item, name: str) -> str:
    facts = item.facts
    return (
        "[Sequence]\n"
        f"name={name}\n"
        "imDir=img1\n"
        f"frameRate={facts.average_fps or 0:.6g}\n"
        f"seqLength={facts.frame_count or 0}\n"
        f"imWidth={facts.size.width}\n"
        f"imHeight={facts.size.height}\n"
        "imExt=.jpg\n"
    )
