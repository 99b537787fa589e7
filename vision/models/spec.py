"""What is known about a model before it is loaded: one frozen value per catalogue entry."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from vision.models.licenses import License

NO_CLASS = frozenset({"__background__", "background", "no person", "N/A"})
"""Names in a label list that stand for no class: never reported."""
TENSORS_SUFFIX = ".safetensors"
"""The only form of weights that is taken in a folder: it holds no code."""


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
    EVERYTHING_FAST = "everything_fast"
    """With EVERYTHING: in the mode fast too."""
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
class SnapshotSpec:
    """A folder of weights: what a model hub or `save_pretrained` puts side by side."""

    file: str
    """Name of the folder inside the models folder."""
    files: Mapping[str, str | None]
    """Name inside the folder, to SHA-256; None where the first pull writes it down."""
    optional_files: tuple[str, ...] = ()
    """Taken as well where the publisher has them."""
    hub: str | None = None
    """OWNER/NAME on the hub. None: not to be downloaded."""
    revision: str | None = None
    """Commit on the hub, 40 hexadecimal digits; None: that of the first pull is written down."""
    size_bytes: int | None = None
    """Of all files, about; None where unknown."""
    url: ClassVar[None] = None
    shipped: ClassVar[bool] = False

    @property
    def sha256(self) -> str | None:
        """As a model's identity has it; None where not every hash is known before a pull."""
        known = {name: digest for name, digest in self.files.items() if digest is not None}
        return files_sha256(known) if len(known) == len(self.files) else None


def files_sha256(files: Mapping[str, str]) -> str:
    """One hash of weights, from those of their files: that of the only file, or of the only one
    with tensors, so that it can be compared with what its publisher says; else of the listing.
    """
    tensors = [digest for name, digest in files.items() if name.endswith(TENSORS_SUFFIX)]
    digests = tensors or list(files.values())
    return digests[0] if len(digests) == 1 else listing_sha256(files)


def listing_sha256(files: Mapping[str, str]) -> str:
    """Of the sorted lines that `sha256sum` would write."""
    lines = sorted(f"{digest}  {name}\n" for name, digest in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model of the catalogue."""

    name: str
    family: str
    """Which file of `vision/models/families` runs it."""
    builder: str
    """Which of the family's networks it is."""
    tasks: frozenset[Task]
    weights: WeightsSpec | SnapshotSpec
    license: License
    """For a user's own weights: that of the listed ones, from which they probably come."""
    labels: tuple[str, ...]
    """Name by class id; empty for models that name nothing, or aren't here (next field)."""
    input: str
    """What the network is shown, in words."""
    intended_use: str
    limits: str
    training_data: str = ""
    """As far as it was published."""
    everything_defaults: Mapping[str, int | float] = field(default_factory=dict)
    """This model's own defaults for `prompt: everything`, over upstream's."""
    keypoint_names: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    """As published: average precision on COCO val2017, in percent; or the card's figures."""
    needs: tuple[str, ...] = ()
    """Packages that its family imports beside those that every worker has."""
    extra: str = "models"
    """Which extra of this package installs them."""
    labels_from_config: bool = False
    """The labels are in the weights' own config.json: known as soon as that is here."""
    like: str | None = None
    """For a user's own weights: the listed model whose network they fit."""

    @property
    def names_things(self) -> bool:
        """Whether its answers have labels of its own."""
        return not self.tasks.isdisjoint((Task.DETECT, Task.CLASSIFY, Task.ACTIONS))

    @property
    def reportable_labels(self) -> tuple[str, ...]:
        """The labels that can appear in a result."""
        return tuple(label for label in self.labels if label not in NO_CLASS)
