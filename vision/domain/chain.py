"""How chunks of a followed video hang together: what one leaves, the next one begins with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Prompted:
    """An object of the pipeline's list is pointed at in this frame."""

    frame_index: int
    place: int
    """In the list, from 0."""


@dataclass(frozen=True, slots=True)
class Link:
    """A chunk's part in a chain: one session of a model goes through all of it, chunk by chunk."""

    first: int
    """Number of the chunk with which the chain begins: the session is new there."""
    last: int
    """Of the chunk with which it ends; smaller than `first` when the chain goes back in time."""
    reverse: bool = False
    """Frames are shown from the last to the first."""
    prompts: tuple[Prompted, ...] = ()
    """Of this chunk."""
    seed_index: int | None = None
    """Index of the frame in which a detector says what is followed; None elsewhere."""
    lead_index: int | None = None
    """Index of a frame that is shown first and belongs to another chain: its results are there."""

    def following(self, number: int) -> int | None:
        """Which chunk goes on after this one of the chain; None after the last."""
        if number == self.last:
            return None
        return number - 1 if self.reverse else number + 1

    def to_json(self) -> dict[str, object]:
        return {
            "first": self.first,
            "last": self.last,
            "reverse": self.reverse,
            "prompts": [[one.frame_index, one.place] for one in self.prompts],
            "seed_index": self.seed_index,
            "lead_index": self.lead_index,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        prompts = tuple(Prompted(*one) for one in document["prompts"])
        return cls(**{**document, "prompts": prompts})
