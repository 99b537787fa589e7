"""A video's line in `results.jsonl`, and the lines of its own file of detections."""

# What was found in an image stands in its line. A video may have millions of detections, and
# vectors and names by the thousand: they have files of their own, which are written as they are
# read, and the line says where they are.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vision.domain.states import ItemState
from vision.domain.stored import StoredDetection
from vision.pipelines.export.findings import detection_json

MEDIA_NAMES = (
    "kind",
    "media_type",
    "width",
    "height",
    "duration_seconds",
    "average_fps",
    "real_fps",
    "frame_count",
    "start_seconds",
    "container",
    "codec",
    "rotation",
)
DETECTION_NAMES = (
    "frame_index",
    "pts_seconds",
    "track_id",
    "label",
    "class_id",
    "score",
    "box",
    "mask",
    "keypoints",
    "predicted_iou",
    "stability_score",
    "embedding",
)
TRACK_NAMES = (
    "track_id",
    "label",
    "class_id",
    "first_seconds",
    "last_seconds",
    "first_frame",
    "last_frame",
    "detections",
    "best",
    "path",
)
BEST_NAMES = ("frame_index", "pts_seconds", "box", "score")


@dataclass(frozen=True, slots=True)
class VideoOutcome:
    """What came of one video, without what was found in its frames."""

    asset_id: str
    state: str
    """done, partial or failed."""
    error: Mapping[str, str] | None
    """Of a partial one too, when a part of it failed."""
    media: Mapping[str, Any]
    warnings: Sequence[str]
    counts: Mapping[str, int]
    classes: Sequence[Mapping[str, Any]] | None
    """The best names of anything in it; None when nobody was asked."""
    frames_decoded: int | None
    """Frames that were analysed."""
    frames_declared: int | None
    """Frames that would have been if the file were whole; None when nobody could tell."""
    tracks: Sequence[Mapping[str, Any]]
    track_parameters: Mapping[str, Any] | None
    provenance: Mapping[str, Any] | None

    @property
    def has_results(self) -> bool:
        return self.state in (ItemState.DONE, ItemState.PARTIAL)

    def document(self) -> dict[str, Any]:
        """`detections` is null, not empty: they are in `detections_file`."""
        return {
            "asset_id": self.asset_id,
            "state": self.state,
            "error": self.error,
            "media": self.media,
            "warnings": list(self.warnings),
            "counts": dict(self.counts),
            "frames_decoded": self.frames_decoded,
            "frames_declared": self.frames_declared,
            "detections": None,
            "classes": None if self.classes is None else list(self.classes),
            "tracks": list(self.tracks),
            "track_parameters": self.track_parameters,
            "provenance": self.provenance,
        }


def frame_detection_json(stored: StoredDetection) -> dict[str, Any]:
    """Under DETECTION_NAMES."""
    return {
        "frame_index": stored.frame_index,
        "pts_seconds": stored.pts_seconds,
        "track_id": stored.track_id,
        **detection_json(stored.detection),
    }


def chosen(answer: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Of a server's answer, what a line of ours has."""
    return {name: answer.get(name) for name in names}


def chosen_of_track(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a track: pictures of it stay with the server."""
    return chosen(answer, TRACK_NAMES) | {"best": chosen(answer["best"], BEST_NAMES)}
