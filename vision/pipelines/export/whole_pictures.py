"""JSON forms of what is said of whole pictures and clips: names and vectors."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from vision.domain.findings import Classes, ClassScore
from vision.domain.stored_findings import StoredClassification

CLASS_NAMES = ("label", "class_id", "score")
PLACE_NAMES = ("frame_index", "first_frame", "last_frame", "from_seconds", "to_seconds")


def vector_json(vector: NDArray[np.float32]) -> list[float]:
    """(n,) float32 as the shortest decimals of its values: 0.9, not 0.8999999761581421."""
    packed = orjson.dumps(
        np.ascontiguousarray(vector, np.float32), option=orjson.OPT_SERIALIZE_NUMPY
    )
    numbers: list[float] = orjson.loads(packed)
    return numbers


def class_json(one: ClassScore | StoredClassification) -> dict[str, object]:
    """Under CLASS_NAMES."""
    return {name: getattr(one, name) for name in CLASS_NAMES}


def classes_json(classes: Classes) -> list[dict[str, object]]:
    """The best first, under CLASS_NAMES."""
    scores = vector_json(classes.scores)
    rows = zip(classes.labels, classes.class_ids.tolist(), scores, strict=True)
    return [dict(zip(CLASS_NAMES, row, strict=True)) for row in rows]


def classification_json(stored: StoredClassification) -> dict[str, object]:
    """Under PLACE_NAMES and CLASS_NAMES, as in the REST API."""
    return {name: getattr(stored, name) for name in (*PLACE_NAMES, *CLASS_NAMES)}


def by_place(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """One object per frame or clip, with its names in `classes`, from a row per name."""
    for place, names in groupby(rows, key=lambda row: tuple(row[name] for name in PLACE_NAMES)):
        classes = [{name: one[name] for name in CLASS_NAMES} for one in names]
        yield {**dict(zip(PLACE_NAMES, place, strict=True)), "classes": classes}
