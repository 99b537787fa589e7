"""A form with files: each file goes straight to a staged file while it arrives.

The framework's own parser would spool the whole body to the system's temporary folder before
any limit of ours could be asked.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from api.body import Body
from api.multipart import MALFORMED, Event, Mark, MultipartEvents, PartStart
from api.staging import StagedFile, Staging
from vision.errors import BodyTooLarge, FieldError, InvalidRequest

MAX_TEXT_BYTES: Final = 1024 * 1024
"""Of all fields that aren't files together."""
MAX_TEXT_PARTS: Final = 100
_PART_OVERHEAD_BYTES: Final = 64 * 1024
"""Boundary and headers of one part; the parser refuses longer ones."""


@dataclass(frozen=True, slots=True)
class FormLimits:
    """What one form may hold."""

    file_fields: frozenset[str]
    text_fields: frozenset[str]
    max_files: int
    max_file_bytes: int

    @property
    def max_body_bytes(self) -> int:
        parts = self.max_files + MAX_TEXT_PARTS
        files = self.max_files * self.max_file_bytes
        return files + MAX_TEXT_BYTES + parts * _PART_OVERHEAD_BYTES


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that has arrived; on disk until the stack that holds it closes."""

    staged: StagedFile
    sha256: str
    filename: str


@dataclass(frozen=True, slots=True)
class Form:
    """The parts, in the order of the body."""

    files: tuple[ReceivedFile, ...]
    texts: tuple[tuple[str, str], ...]

    def all(self, field: str) -> tuple[str, ...]:
        """Every value of a field that may be repeated."""
        return tuple(value for name, value in self.texts if name == field)

    def one(self, field: str) -> str | None:
        """The value of a field that may be there once. Raises InvalidRequest for more."""
        values = self.all(field)
        if len(values) > 1:
            raise wrong_field(field, "is given more than once")
        return values[0] if values else None


def wrong_field(field: str, detail: str) -> InvalidRequest:
    return InvalidRequest("the form is not valid", (FieldError(field, detail),))


async def read_form(
    request: Request, stack: AsyncExitStack, *, staging: Staging, limits: FormLimits
) -> Form:
    """The whole form; its files live until `stack` closes.

    Raises BodyTooLarge, InvalidRequest naming the field, HTTPException 400 for a malformed body.
    """
    body = Body(request, max_bytes=limits.max_body_bytes)
    events = MultipartEvents(request)
    filling = _Filling(stack, staging=staging, limits=limits)
    while piece := await body.read():
        for event in events.feed(piece):
            await filling.take(event)
    return filling.form()


class _Filling:
    """A form while it arrives."""

    def __init__(self, stack: AsyncExitStack, *, staging: Staging, limits: FormLimits) -> None:
        self._stack = stack
        self._staging = staging
        self._limits = limits
        self._files: list[ReceivedFile] = []
        self._texts: list[tuple[str, str]] = []
        self._part: PartStart | None = None
        self._staged: StagedFile | None = None
        self._text = bytearray()
        self._text_bytes = 0
        self._is_complete = False

    def form(self) -> Form:
        if not self._is_complete:
            raise HTTPException(400, "the multipart body ends before its last boundary")
        return Form(tuple(self._files), tuple(self._texts))

    async def take(self, event: Event) -> None:
        if isinstance(event, PartStart):
            await self._start(event)
        elif isinstance(event, bytes):
            await self._add(event)
        elif event is Mark.PART_END:
            await self._end()
        else:
            self._is_complete = True

    async def _start(self, part: PartStart) -> None:
        self._part = part
        is_file = part.filename is not None
        allowed = self._limits.file_fields if is_file else self._limits.text_fields
        if part.field not in allowed:
            raise wrong_field(part.field[:100], f"is no {'file' if is_file else 'text'} field here")
        if is_file:
            self._require_another_file_fits(part.field)
            staged = self._staging.file(max_bytes=self._limits.max_file_bytes)
            self._staged = await self._stack.enter_async_context(staged)
        elif len(self._texts) >= MAX_TEXT_PARTS:
            raise wrong_field(part.field, f"one of more than {MAX_TEXT_PARTS} fields")

    def _require_another_file_fits(self, field: str) -> None:
        if len(self._files) >= self._limits.max_files:
            raise wrong_field(field, f"more files than the limit of {self._limits.max_files}")

    async def _add(self, piece: bytes) -> None:
        if self._staged is not None:
            await self._staged.add(piece)
            return
        self._text_bytes += len(piece)
        if self._text_bytes > MAX_TEXT_BYTES:
            raise BodyTooLarge(f"the fields are larger than the limit of {MAX_TEXT_BYTES} bytes")
        self._text += piece

    async def _end(self) -> None:
        if self._part is None:
            raise HTTPException(400, MALFORMED)
        if self._staged is not None:
            sha256 = await self._staged.complete()
            self._files.append(ReceivedFile(self._staged, sha256, self._part.filename or ""))
        else:
            self._texts.append((self._part.field, _utf8(self._part.field, self._text)))
        self._part, self._staged, self._text = None, None, bytearray()


def _utf8(field: str, raw: bytearray) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise wrong_field(field, "is not UTF-8") from error
