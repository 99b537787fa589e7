"""One picture through a pipeline: table and annotated picture, or everything as JSON."""

from pathlib import Path

from vision.cli.analysis import Analysis
from vision.cli.asked import Asked
from vision.cli.batch.folder import sha256_of
from vision.cli.files import replacing
from vision.cli.lazy import load
from vision.cli.output import out, print_json, print_table
from vision.domain.detections import Detection, Detections
from vision.engine.parts import decode_limits
from vision.media.decode_process import DecodeProcess
from vision.media.overlay import Overlay
from vision.pipelines.export.findings import detection_json, media_json
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
    return {
        "filename": file.name,
        "sha256": sha256_of(file),
        "media": media_json(found.facts),
        "warnings": list(found.facts.warnings),
        "counts": found.detections.label_counts(),
        "items": [detection_json(detection) for detection in found.detections],
        "provenance": found.provenance.to_json() | {"digest": found.provenance.digest},
    }


def _print(found: Analysis, picture: Path | None) -> None:
    columns = ("label", "score", "predicted IoU", "x1 y1 x2 y2", "mask pixels")
    print_table(columns, [_row(detection) for detection in found.detections])
    counts = ", ".join(
        f"{count} {label}" for label, count in found.detections.label_counts().items()
    )
    console = out()
    console.print(f"found: {counts or 'nothing'}", markup=False)
    console.print(f"picture: {picture}", markup=False)


def _row(found: Detection) -> tuple[object, ...]:
    box = " ".join(f"{value:.1f}" for value in found.box)
    pixels = None if found.mask is None else found.mask.area
    return found.label, _short(found.score), _short(found.predicted_iou), box, pixels


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
