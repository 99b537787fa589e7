"""Drawn results: how they are wanted, and how far a video is."""

from typing import Annotated, Literal, Self

from pydantic import Field

from api.schemas.base import Answer, Question
from api.schemas.detections import Seconds
from vision.domain.states import UnitState
from vision.domain.stored import RenderState


class AnnotatedQuestion(Question):
    """How a picture is drawn. For the whole video of an item give none of these."""

    at_seconds: Seconds | None = Field(
        None, description="Of a video: a still of the frame that is shown then."
    )
    format: Literal["jpeg", "png"] | None = Field(None, description="Goes before Accept.")
    boxes: bool = True
    masks: bool = True
    labels: bool = True
    keypoints: bool = True


class RenderAnswer(Answer):
    """How far an annotated video is."""

    state: Literal["queued", "running", "done"]
    fraction: Annotated[float, Field(description="0 to 1, how much is drawn.")]

    @classmethod
    def of(cls, render: RenderState) -> Self:
        if render.state is UnitState.DONE:
            return cls(state="done", fraction=1.0)
        is_running = render.state is UnitState.LEASED
        return cls(state="running" if is_running else "queued", fraction=render.fraction)
