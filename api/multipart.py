"""A multipart/form-data body as events, while it arrives: nothing is kept here."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import Request

from api.text import decoded


@dataclass(frozen=True, slots=True)
class PartStart:
    """A part begins; with a file name it is a file."""

    field: str
    filename: str | None


class Mark(Enum):
    """What carries nothing."""

    PART_END = "part end"
    FORM_END = "form end"


Event: TypeAlias = PartStart | bytes | Mark
"""Bytes are a piece of the part that began last."""

MALFORMED: Final = "the multipart body is malformed"


def is_multipart(request: Request) -> bool:
    kind, _ = parse_options_header(request.headers.get("content-type"))
    return kind == b"multipart/form-data"


class MultipartEvents:
    """One body; the parser itself limits the number and the size of a part's headers."""

    def __init__(self, request: Request) -> None:
        """Raises HTTPException 400 without a usable boundary."""
        _, options = parse_options_header(request.headers.get("content-type"))
        self._events: list[Event] = []
        self._name = b""
        self._value = b""
        self._disposition = b""
        boundary = options.get(b"boundary") or _refuse()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_header_field": self._add_header_name,
                    "on_header_value": self._add_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._start_part,
                    "on_part_data": self._add_data,
                    "on_part_end": lambda: self._events.append(Mark.PART_END),
                    "on_end": lambda: self._events.append(Mark.FORM_END),
                },
            )
        except FormParserError as error:
            raise HTTPException(400, MALFORMED) from error

    def feed(self, piece: bytes) -> list[Event]:
        """What this piece of the body says. Raises HTTPException 400."""
        self._events = []
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise HTTPException(400, MALFORMED) from error
        return self._events

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _start_part(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._disposition = b""
        filename = options.get(b"filename")
        self._events.append(
            PartStart(
                field=decoded(options.get(b"name") or _refuse()),
                filename=None if filename is None else decoded(filename),
            )
        )

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])


def _refuse() -> bytes:
    raise HTTPException(400, MALFORMED)
