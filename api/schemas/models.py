"""Models and named pipelines as JSON."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.base import Answer
from vision.models.acceptances import LONGEST_NAME


class WeightsAnswer(Answer):
    """The file, or the folder of files, that makes a network a model."""

    file: str
    hub: str | None = Field(description="Of a folder: OWNER/NAME on the hub.")
    revision: str | None = Field(description="The commit there, where one is pinned or here.")
    files: tuple[str, ...] = Field(description="Of a folder: what is in it, or will be.")
    sha256: str | None = Field(description="Null when neither published in full nor here.")
    size_bytes: int | None
    present: bool = Field(description="Whether a job can use it now.")
    shipped: bool = Field(description="Part of the package.")
    command: str | None = Field(description="What fetches it, when it is not here.")


class LicenseAnswer(Answer):
    """Facts about the terms of the weights, in our words; what counts is the licence's text."""

    name: str = Field(description="The SPDX identifier where there is one.")
    gate: str = Field(description="At the publisher: none, form or manual review.")
    restricted: bool = Field(description="It forbids uses: runs only after an acceptance.")
    forbids: tuple[str, ...]
    note: str
    facts_sha256: str = Field(description="Of these facts: what an acceptance is for.")


class AcceptanceAnswer(Answer):
    """Somebody stands by a model's terms."""

    model: str = Field(description="The listed model; your own weights like it are covered too.")
    license: str
    facts_sha256: str
    accepted_by: str
    accepted_at: str


class AcceptanceQuestion(BaseModel):
    """Who accepts. There are no users here: the name is written down as it comes."""

    model_config = ConfigDict(extra="forbid")

    accepted_by: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class ModelAnswer(Answer):
    """What is known about a model before it is loaded: its card."""

    name: str
    family: str
    tasks: tuple[str, ...]
    license: str
    license_facts: LicenseAnswer
    acceptance: AcceptanceAnswer | None = Field(description="The one in force, if any.")
    weights: WeightsAnswer
    needs: tuple[str, ...] = Field(description="Packages beside those that every worker has.")
    extra: str = Field(description="The extra of this package that installs them.")
    input: str = Field(description="What the network is shown.")
    labels: tuple[str, ...] = Field(description="What it can report; empty if it names nothing.")
    keypoint_names: tuple[str, ...]
    intended_use: str
    limits: str
    training_data: str = Field(description="As far as it was published.")
    metrics: Mapping[str, float]
    everything_defaults: Mapping[str, int | float]


class PipelineAnswer(Answer):
    """A pipeline that can be asked for by name."""

    name: str
    description: str
    pipeline: Mapping[str, Any] = Field(description="The document, with the defaults filled in.")
