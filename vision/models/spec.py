"""What is known about a model before it is loaded: one frozen value per catalogue entry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

NO_CLASS = frozenset({"__background__", "background", "no person", "N/A"})
"""Names in a label list that stand for no class: never reported."""


class Task(StrEnum):
    """What a model can be asked."""

    DETECT = "detect"
    """Boxes of known classes."""
    MASKS = "masks"
    """With DETECT: a mask for every box."""
    KEYPOINTS = "keypoints"
    """With DETECT: keypoints for every box."""
    SEGMENT = "segment"
    """Masks of what is pointed at."""
    EVERYTHING = "everything"
    """Masks of everything."""
    REGIONS = "regions"
    """With DETECT: rows are regions that cover the picture, ground and sky included."""
    CONCEPTS = "concepts"
    """Boxes and masks of all things that words name or that resemble an example."""
    FOLLOW = "follow"
    """What is pointed at in a video, in every frame."""
    FOLLOW_CONCEPTS = "follow_concepts"
    """All things that words name in a video, in every frame."""
    CLASSIFY = "classify"
    """Names for a picture as a whole."""
    ACTIONS = "actions"
    """Names for what happens in a stretch of video."""
    EMBED = "embed"
    """A vector for a picture, near those of similar pictures."""
    EMBED_TEXT = "embed_text"
    """With EMBED: a vector for words, near those of pictures that show what they say."""


@dataclass(frozen=True, slots=True)
class WeightsSpec:
    """One weights file: where it comes from and how it is known to be the right one."""

    file: str
    """Name inside the models folder, or inside the package when `shipped`."""
    url: str | None = None
    """None: not to be downloaded."""
    sha256: str | None = None
    """Hexadecimal; None where only the first digits were published."""
    sha256_prefix: str | None = None
    size_bytes: int | None = None
    """About; None where unknown."""
    shipped: bool = False
    """Part of the package."""

    def is_satisfied_by(self, sha256: str) -> bool:
        """Whether a file with this hash is the file."""
        if self.sha256 is not None:
            return sha256 == self.sha256
        return self.sha256_prefix is not None and sha256.startswith(self.sha256_prefix)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model of the catalogue."""

    name: str
    family: str
    """Which file of `vision/models/families` runs it."""
    builder: str
    """Which of the family's networks it is."""
    tasks: frozenset[Task]
    weights: WeightsSpec
    license: str
    labels: tuple[str, ...]
    """Name by class id; empty for models that name nothing."""
    input: str
    """What the network is shown, in words."""
    intended_use: str
    limits: str
    everything_defaults: Mapping[str, int | float] = field(default_factory=dict)
    """This model's own defaults for `prompt: everything`, over upstream's."""
    keypoint_names: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    """As published: average precision on COCO val2017, in percent; or the card's figures."""
    needs: tuple[str, ...] = ()
    """Packages that its family imports beside those that every worker has."""
    extra: str = "models"
    """Which extra of this package installs them."""
    like: str | None = None
    """For a user's own weights: the listed model whose network they fit."""

    @property
    def reportable_labels(self) -> tuple[str, ...]:
        """The labels that can appear in a result."""
        return tuple(label for label in self.labels if label not in NO_CLASS)
