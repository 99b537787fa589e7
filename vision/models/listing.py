"""The form of `listed/FAMILY.yaml`, the data of one family's models. Its classes are the schema:
a key that isn't here is refused.

family: sam2
license: Apache-2.0
intended_use: One or more sentences.
limits: One or more sentences.
training_data: As far as it was published.
models:
  sam2_hiera_tiny:
    tasks: [segment, everything, follow]
    input: RGB, stretched to 1024 x 1024 pixels
    weights:
      hub: facebook/sam2.1-hiera-tiny
      files: [config.json, model.safetensors, preprocessor_config.json]
      optional_files: [processor_config.json]
      size_mib: 148.8
"""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from vision.models.licenses import Gate
from vision.models.snapshots import DATA_SUFFIXES, FILE_NAME
from vision.models.spec import Task

FileName = Annotated[str, Field(pattern=rf"^{FILE_NAME.pattern}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
MIB = 1024 * 1024


class Listed(BaseModel):
    """A part of such a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ListedLicense(Listed):
    """Where its name alone doesn't say it; see `License`."""

    name: str
    gate: Gate = Gate.NONE
    forbids: tuple[str, ...] = ()
    note: str = ""


class ListedFile(Listed):
    """What is known about a file of a folder."""

    sha256: Sha256 | None = None
    size_bytes: int | None = None


class ListedWeights(Listed):
    """With `files` a folder, else one file."""

    file: str | None = None
    """Of one file: the name; default: the last part of `url`."""
    url: str | None = None
    shipped: bool = False
    sha256: Sha256 | None = None
    sha256_prefix: str | None = None
    hub: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    """Of a folder: OWNER/NAME on the hub."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    """A commit, where it is known."""
    files: dict[FileName, ListedFile] | None = None
    """A list of names will do."""
    optional_files: tuple[FileName, ...] = ()
    """Taken as well where the publisher has them."""
    size_bytes: int | None = None
    """Of all files, about."""
    size_mib: float | None = None

    @field_validator("files", mode="before")
    @classmethod
    def _with_details(cls, files: Any) -> Any:
        return dict.fromkeys(files, ListedFile()) if isinstance(files, list) else files

    @field_validator("files", "optional_files")
    @classmethod
    def _data_only(cls, files: Any) -> Any:
        wrong = [name for name in files or () if Path(name).suffix not in DATA_SUFFIXES]
        if wrong:
            raise ValueError(f"{wrong[0]} is none of {', '.join(DATA_SUFFIXES)}")
        return files

    @property
    def all_bytes(self) -> int | None:
        """As said, or the sum of what is said about each file."""
        if self.size_mib is not None:
            return round(self.size_mib * MIB)
        sizes = [file.size_bytes for file in (self.files or {}).values()]
        known = [size for size in sizes if size is not None]
        return sum(known) if sizes and len(known) == len(sizes) else self.size_bytes


class ListedModel(Listed):
    """One model; its name is that of the folder of weights too."""

    tasks: tuple[Task, ...]
    input: str
    """What the network is shown, in words."""
    weights: ListedWeights
    builder: str | None = None
    """Which of the family's networks it is; default: its name."""
    labels: str | None = None
    """`coco` for listed/labels/coco.txt; `from config` where they come with the weights."""
    keypoints: str | None = None
    """Likewise, in listed/keypoints."""
    everything_defaults: dict[str, int | float] = {}
    metrics: dict[str, float] = {}
    license: str | ListedLicense | None = None
    """This and the following: where they aren't the family's."""
    intended_use: str | None = None
    limits: str | None = None
    training_data: str | None = None


class ListedFamily(Listed):
    """A whole file."""

    family: str
    """The file of `vision/models/families` that runs them."""
    license: str | ListedLicense
    """One word for a free licence, or for one that listed/licenses knows; else the facts."""
    intended_use: str
    limits: str
    training_data: str = ""
    """As far as it was published."""
    needs: tuple[str, ...] = ()
    """Packages that it imports beside those that every worker has."""
    extra: str = "models"
    """The extra of pyproject.toml that installs them."""
    models: dict[str, ListedModel]


def read_family(file: Path) -> ListedFamily:
    """Raises ValidationError: what comes with the product is right, or its tests fail."""
    return ListedFamily.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
