"""Models and named pipelines as JSON."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from api.schemas.base import Answer


class WeightsAnswer(Answer):
    """The file that makes a network a model."""

    file: str
    sha256: str | None = Field(description="Null when neither published in full nor here.")
    size_bytes: int | None
    present: bool = Field(description="Whether a job can use it now.")
    shipped: bool = Field(description="Part of the package.")
    command: str | None = Field(description="What fetches it, when it is not here.")


class ModelAnswer(Answer):
    """What is known about a model before it is loaded: its card."""

    name: str
    family: str
    tasks: tuple[str, ...]
    license: str
    weights: WeightsAnswer
    input: str = Field(description="What the network is shown.")
    labels: tuple[str, ...] = Field(description="What it can report; empty if it names nothing.")
    keypoint_names: tuple[str, ...]
    intended_use: str
    limits: str
    metrics: Mapping[str, float]
    everything_defaults: Mapping[str, int | float]


class PipelineAnswer(Answer):
    """A pipeline that can be asked for by name."""

    name: str
    description: str
    pipeline: Mapping[str, Any] = Field(description="The document, with the defaults filled in.")
