"""One model against the loop that upstream's documentation shows for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from vision.domain.image import RgbImage
from vision.models.base import Model
from vision.models.device import Placement

Loop: TypeAlias = Callable[[Sequence[RgbImage]], object]
"""Takes pictures through a network together; returns when the answers are on the CPU."""


@dataclass(frozen=True, slots=True)
class Contender:
    """How one listed model is measured."""

    like: str
    on_cpu: str
    """The listed model that a CPU runs in its place: the same code with a smaller network."""
    interface: type[Model]
    seed: Callable[[Path, str], Path]
    """Saves random weights as the listed model's would be, where those aren't here, into an empty
    folder; a file or a folder. The model's name says how large."""
    ask: Callable[[Any, Sequence[RgbImage]], object]
    """Our interface. Any: each is another one."""
    upstream: Callable[[Path, str, Placement], Loop]
    """The loop on the same weights, from the listed model's name."""
