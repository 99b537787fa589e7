"""Every error answer, as RFC 9457 problem details, and the one table from error to status."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from vision import errors
from vision.errors import (
    FieldError,
    InvalidRequest,
    StorageFull,
    StorageUnavailable,
    VisionError,
)

log = logging.getLogger("vision.api")

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 5
"""What a client is told to wait when time may cure it."""

# From the most general to the most special: the last entry that fits decides.
_STATUS: Final[tuple[tuple[type[VisionError], HTTPStatus], ...]] = (
    (VisionError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (errors.OperatorError, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.TemporaryError, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.StorageFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (errors.TooBusy, HTTPStatus.TOO_MANY_REQUESTS),
    (errors.CallerError, HTTPStatus.BAD_REQUEST),
    (errors.InvalidRequest, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.IdempotencyKeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.BadMedia, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.UnsupportedType, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (errors.NotFound, HTTPStatus.NOT_FOUND),
    (errors.UnknownModel, HTTPStatus.NOT_FOUND),
    (errors.Conflict, HTTPStatus.CONFLICT),
    (errors.LicenseNotAccepted, HTTPStatus.FORBIDDEN),
    (errors.BodyTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)

_CODE_OF_STATUS: Final[Mapping[int, str]] = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_type",
    416: "range_not_satisfiable",
}
"""Codes of what the framework, or no class of `vision/errors.py`, refuses."""


def problem(
    status: int,
    code: str,
    *,
    detail: str,
    request_id: str,
    retryable: bool = False,
    fields: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One problem document. `errors` is there when fields are named."""
    body: dict[str, object] = {
        "type": f"urn:vision-service:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "retryable": retryable,
        "request_id": request_id,
    }
    if fields:
        body["errors"] = [{"field": each.field, "detail": each.detail} for each in fields]
    return Response(orjson.dumps(body), status, dict(headers or {}), media_type=MEDIA_TYPE)


def internal_error(request_id: str) -> Response:
    """Says nothing about our insides; the log knows more under the same id."""
    return problem(
        500,
        "internal_error",
        detail="something went wrong on our side; the request id helps us to find it",
        request_id=request_id,
    )


def add_handlers(app: FastAPI) -> None:
    """Makes every error that a route or the framework raises a problem document."""
    app.add_exception_handler(VisionError, _from_vision_error)
    app.add_exception_handler(RequestValidationError, _from_validation)
    app.add_exception_handler(HTTPException, _from_http)


def status_of(error: VisionError) -> int:
    """The status of the most special class that the table knows."""
    return [status for kind, status in _STATUS if isinstance(error, kind)][-1]


async def _from_vision_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, VisionError)
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        fields = {"code": error.code, "detail": str(error), "request_id": _request_id(request)}
        log.warning("request could not be served", extra=fields)
    return problem(
        status,
        error.code,
        detail=_detail(error),
        request_id=_request_id(request),
        retryable=error.retryable,
        fields=error.errors if isinstance(error, InvalidRequest) else (),
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)} if error.retryable else None,
    )


def _detail(error: VisionError) -> str:
    """What a database or a disk says of itself is for our log only."""
    if isinstance(error, StorageUnavailable | StorageFull):
        return "storage can't be used right now; nothing was lost that had been acknowledged"
    return str(error)


def _request_id(request: Request) -> str:
    return str(request.state.request_id)


async def _from_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem(
        422,
        "invalid_request",
        detail="the request is not valid",
        request_id=_request_id(request),
        fields=field_errors(error.errors()),
    )


async def _from_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(
        error.status_code,
        _CODE_OF_STATUS.get(error.status_code, "http_error"),
        detail=_sentence(error),
        request_id=_request_id(request),
        retryable=error.status_code == HTTPStatus.REQUEST_TIMEOUT,
        headers=error.headers,
    )


def _sentence(error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "nothing is at this path"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return "this path doesn't answer that method; Allow names those that it does"
    return str(error.detail)


def field_errors(found: Sequence[Mapping[str, object]]) -> tuple[FieldError, ...]:
    """From pydantic's list: dotted paths, without the place (query, body) they came from."""
    return tuple(FieldError(_path(each["loc"]), str(each["msg"])) for each in found)


def _path(location: object) -> str:
    parts = [str(part) for part in location] if isinstance(location, tuple) else [str(location)]
    if len(parts) > 1 and parts[0] in ("query", "path", "header", "body"):
        parts = parts[1:]
    return ".".join(parts)
