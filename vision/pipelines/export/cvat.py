"""CVAT for video 1.1: XML with a track per object, in a zip that CVAT takes as it is.

One video is `annotations.xml`; several are NAME.xml each, for a task each. Frames are those of the
source video, from 0. What belongs to no track is a track of one frame. CVAT has no tracks of masks
(it would keep their first frame only), so tracks consist of boxes; what belongs to none keeps its
mask.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO, TextIO

from vision.domain.job import Item, Job
from vision.domain.media import MediaKind
from vision.domain.track import TRACKS_PER_ITEM
from vision.pipelines.export.archive import Archive, stems
from vision.pipelines.export.cvat_shapes import Shape, followed, seen_once
from vision.pipelines.export.findings import JobFindings, Picture
from vision.pipelines.export.mot import require_videos
from vision.pipelines.export.xml import XmlWriter


def write_cvat(findings: JobFindings, file: BinaryIO) -> None:
    """Images of the job are left out. Raises InvalidRequest when there are only images."""
    require_videos(findings, "cvat")
    videos = [item for item in findings.items if item.facts.kind is MediaKind.VIDEO]
    names = stems(videos) if len(videos) > 1 else {videos[0].index: "annotations"}
    with Archive(file) as archive:
        for item, pictures in findings.by_item():
            if item.index in names:
                with archive.entry(f"{names[item.index]}.xml") as text:
                    _write_video(text, findings, item, pictures)


def _write_video(
    text: TextIO, findings: JobFindings, item: Item, pictures: Iterator[Picture]
) -> None:
    xml = XmlWriter(text)
    with xml.element("annotations"):
        xml.leaf("version", "1.1")
        with xml.element("meta"):
            _write_task(xml, findings.job, item)
            xml.leaf("dumped", _moment(findings.job.finished_at or findings.job.created_at))
        last_id = _write_tracks(xml, findings, item)
        _write_untracked(xml, item, pictures, first_id=last_id + 1)


def _write_tracks(xml: XmlWriter, findings: JobFindings, item: Item) -> int:
    """Returns the last id."""
    last_id = item.index * TRACKS_PER_ITEM
    analysed = findings.frame_times(item).frame_index
    for track in findings.tracks(item):
        last_id = track.track_id
        rows = findings.along(item, track)
        shapes = followed(rows, analysed=analysed, length=item.facts.frame_count)
        _write_track(xml, last_id, track.label, shapes)
    return last_id


def _write_untracked(
    xml: XmlWriter, item: Item, pictures: Iterator[Picture], *, first_id: int
) -> None:
    detections = (stored for picture in pictures for stored in picture.detections)
    loose = (stored for stored in detections if stored.track_id is None)
    for number, stored in enumerate(loose, start=first_id):
        shapes = seen_once(stored, length=item.facts.frame_count)
        _write_track(xml, number, stored.label, shapes)


def _write_track(xml: XmlWriter, number: int, label: str, shapes: Iterator[Shape]) -> None:
    with xml.element("track", {"id": number, "label": label, "source": "auto"}):
        for shape in shapes:
            xml.leaf(shape.name, "", shape.attributes)


def _write_task(xml: XmlWriter, job: Job, item: Item) -> None:
    frames = item.facts.frame_count or 0
    with xml.element("task"):
        xml.leaf("id", item.index)
        xml.leaf("name", item.filename)
        xml.leaf("size", frames)
        xml.leaf("mode", "interpolation")
        xml.leaf("overlap", 0)
        xml.leaf("bugtracker")
        xml.leaf("flipped", "False")
        xml.leaf("created", _moment(job.created_at))
        xml.leaf("updated", _moment(job.finished_at or job.created_at))
        with xml.element("labels"):
            for label in sorted(item.counts):
                with xml.element("label"):
                    xml.leaf("name", label)
                    xml.leaf("attributes")
        _write_extent(xml, item, frames)


def _write_extent(xml: XmlWriter, item: Item, frames: int) -> None:
    with xml.element("segments"), xml.element("segment"):
        xml.leaf("id", item.index)
        xml.leaf("start", 0)
        xml.leaf("stop", max(0, frames - 1))
        xml.leaf("url")
    with xml.element("owner"):
        xml.leaf("username")
        xml.leaf("email")
    with xml.element("original_size"):
        xml.leaf("width", item.facts.size.width)
        xml.leaf("height", item.facts.size.height)


def _moment(seconds: float) -> str:
    return str(datetime.fromtimestamp(seconds, UTC))
