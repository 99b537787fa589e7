"""The shape of every error answer, for the OpenAPI document."""

from pydantic import Field

from api.schemas.base import Answer


class WrongField(Answer):
    """One thing to correct."""

    field: str = Field(description="Dotted path in the request.", examples=["detect.model"])
    detail: str


class Problem(Answer):
    """RFC 9457 problem details."""

    type: str = Field(examples=["urn:vision-service:problem:not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="For people.", examples=["no job of that id"])
    code: str = Field(description="For programs; stable.", examples=["not_found"])
    retryable: bool = Field(description="Whether the same request may succeed later.")
    request_id: str = Field(description="Also in the X-Request-Id header and in our log.")
    errors: tuple[WrongField, ...] | None = Field(None, description="There when fields are named.")
