"""What a classifier said, as one line for people."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

SHOWN = 5


def best_names(classes: Iterable[Mapping[str, Any]]) -> str:
    """Of classes as JSON, the best first."""
    shown = islice(classes, SHOWN)
    return ", ".join(f"{one['label']} {one['score']:.3f}" for one in shown)
