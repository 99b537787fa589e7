"""What is said of a video's frames and clips as lines of files of their own, like detections."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vision.domain.stored_findings import StoredClassification, StoredEmbedding
from vision.pipelines.export.whole_pictures import by_place, classification_json, vector_json

EMBEDDING_NAMES = ("frame_index", "pts_seconds")


def class_lines(rows: Iterable[StoredClassification]) -> Iterator[dict[str, Any]]:
    """One per frame or clip, from stored rows."""
    return by_place(map(classification_json, rows))


def embedding_line(stored: StoredEmbedding) -> dict[str, Any]:
    """Of one frame."""
    assert stored.vector is not None
    place = {name: getattr(stored, name) for name in EMBEDDING_NAMES}
    return {**place, "embedding": vector_json(stored.vector)}


def answered_embedding_line(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The same from a server's answer."""
    return {**{name: answer[name] for name in EMBEDDING_NAMES}, "embedding": answer["vector"]}
