"""YOLO's detection layout, as Ultralytics reads it: a zip of label files without the pictures.

`labels/train/NAME.txt` for every image and every analysed frame, empty where nothing was found: a
line per box with the class number, and centre and size as shares of the picture's sides. A frame
is called VIDEO_000123 by its frame index. `data.yaml` names the classes; `items.csv` (not YOLO's)
says which file is which NAME. The pictures themselves go to `images/train`.
"""

import csv
from typing import BinaryIO

import yaml

from vision.domain.image import ImageSize
from vision.domain.media import MediaKind
from vision.pipelines.export.archive import Archive, stems
from vision.pipelines.export.class_numbers import ClassNumbers
from vision.pipelines.export.csv import harmless
from vision.pipelines.export.findings import JobFindings, Picture
from vision.pipelines.export.pictures import is_seen, picture_name


def write_yolo(findings: JobFindings, file: BinaryIO) -> None:
    """Masks, scores and track ids have no place in it. An image that failed has no label file."""
    names = stems(findings.items)
    classes = ClassNumbers({label for item in findings.items for label in item.counts})
    with Archive(file) as archive:
        _write_items(archive, findings, names)
        for picture in findings.pictures():
            if is_seen(picture):
                name = picture_name(picture, names[picture.item.index])
                archive.write(f"labels/train/{name}.txt", _lines(picture, classes))
        archive.write("data.yaml", _about(classes))


def _write_items(archive: Archive, findings: JobFindings, names: dict[int, str]) -> None:
    with archive.entry("items.csv") as text:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("name", "filename", "asset_id", "is_video"))
        for item in findings.items:
            is_video = int(item.facts.kind is MediaKind.VIDEO)
            rows.writerow((names[item.index], harmless(item.filename), item.asset_id, is_video))


def _lines(picture: Picture, classes: ClassNumbers) -> str:
    size = picture.item.facts.size
    lines = ((classes.of(stored.label), _shares(stored.box, size)) for stored in picture.detections)
    return "".join(
        f"{number} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n"
        for number, (x, y, width, height) in lines
        if width > 0 and height > 0
    )


def _shares(
    box: tuple[float, float, float, float], size: ImageSize
) -> tuple[float, float, float, float]:
    """Centre and size of the part within the picture: readers refuse what is outside 0 to 1."""
    x1, x2 = (min(max(x / size.width, 0.0), 1.0) for x in (box[0], box[2]))
    y1, y2 = (min(max(y / size.height, 0.0), 1.0) for y in (box[1], box[3]))
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def _about(classes: ClassNumbers) -> str:
    folders = {"path": ".", "train": "images/train", "val": "images/train"}
    names = dict(enumerate(classes.labels()))
    return yaml.safe_dump(folders | {"names": names}, sort_keys=False, allow_unicode=True)
