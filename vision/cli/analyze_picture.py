"""One picture through a pipeline: table and annotated picture, or everything as JSON."""

from collections.abc import Iterator
from pathlib import Path

from vision.cli.analysis import Analysis
from vision.cli.asked import Asked
from vision.cli.batch.folder import sha256_of
from vision.cli.class_names import best_names
from vision.cli.files import replacing
from vision.cli.lazy import load
from vision.cli.output import out, print_json, print_table
from vision.domain.detections import Detection, Detections
from vision.domain.findings import Classes, Findings
from vision.engine.parts import decode_limits
from vision.media.decode_process import DecodeProcess
from vision.media.overlay import Overlay
from vision.pipelines.export.findings import detection_json, media_json
from vision.pipelines.export.whole_pictures import classes_json, vector_json
from vision.settings import Settings

ANALYZED = "vision.cli.analyze_here:analyzed"
"""By name: it imports torch."""


def analyze_picture(asked: Asked, settings: Settings) -> None:
    """Raises the kinds of BadMedia."""
    picture = asked.target(".jpg", is_default=not asked.as_json)
    with DecodeProcess(decode_limits(settings)) as decoder:
        # Before torch: a file that can't be read is known in milliseconds.
        decoded = decoder.decode(asked.file)
        found: Analysis = load(ANALYZED)(decoded, asked.document, settings)
        if picture is not None:
            _draw(asked.file, found.detections, decoder, picture)
    if asked.as_json:
        print_json(_result_json(asked.file, found))
        return
    _print(found, picture)


def _draw(file: Path, detections: Detections, decoder: DecodeProcess, picture: Path) -> None:
    is_png = picture.suffix.lower() == ".png"
    media_type = "image/png" if is_png else "image/jpeg"
    drawn = decoder.annotate(file, Overlay(detections), media_type)
    with replacing(picture) as target:
        target.write(drawn)


def _result_json(file: Path, found: Analysis) -> dict[str, object]:
    vector = found.findings.embedding
    return {
        "filename": file.name,
        "sha256": sha256_of(file),
        "media": media_json(found.facts),
        "warnings": list(found.facts.warnings),
        "counts": found.detections.label_counts(),
        "items": [detection_json(detection) for detection in found.detections],
        "classes": _classes_json(found.findings.classes),
        "embedding": None if vector is None else vector_json(vector),
        "provenance": found.provenance.to_json() | {"digest": found.provenance.digest},
    }


def _classes_json(classes: Classes | None) -> list[dict[str, object]] | None:
    """None when nobody was asked."""
    return None if classes is None else classes_json(classes)


def _print(found: Analysis, picture: Path | None) -> None:
    columns = ("label", "score", "predicted IoU", "x1 y1 x2 y2", "mask pixels")
    print_table(columns, [_row(detection) for detection in found.detections])
    counts = ", ".join(
        f"{count} {label}" for label, count in found.detections.label_counts().items()
    )
    console = out()
    console.print(f"found: {counts or 'nothing'}", markup=False)
    for line in _about_whole(found.findings):
        console.print(line, markup=False)
    console.print(f"picture: {picture}", markup=False)


def _about_whole(found: Findings) -> Iterator[str]:
    if found.classes is not None:
        yield f"shows: {best_names(classes_json(found.classes)) or 'nothing that it knows'}"
    if found.embedding is not None:
        yield f"embedding: {len(found.embedding)} numbers, all with --json"
    of_rows = found.detections.embeddings
    if of_rows is not None and len(of_rows):
        yield f"embeddings: {len(of_rows)} of {of_rows.shape[1]} numbers, all with --json"


def _row(found: Detection) -> tuple[object, ...]:
    box = " ".join(f"{value:.1f}" for value in found.box)
    pixels = None if found.mask is None else found.mask.area
    return found.label, _short(found.score), _short(found.predicted_iou), box, pixels


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
