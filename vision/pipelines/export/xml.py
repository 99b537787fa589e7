"""XML written as it goes."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't say, not even escaped."""


class XmlWriter:
    """A document in UTF-8, an element a line; the file stays open."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        text.write('<?xml version="1.0" encoding="utf-8"?>\n')

    @contextmanager
    def element(self, name: str, attributes: Mapping[str, object] | None = None) -> Iterator[None]:
        self._text.write(f"<{name}{_written(attributes or {})}>\n")
        yield
        self._text.write(f"</{name}>\n")

    def leaf(
        self, name: str, text: object = "", attributes: Mapping[str, object] | None = None
    ) -> None:
        content = escape(_legal(text))
        self._text.write(f"<{name}{_written(attributes or {})}>{content}</{name}>\n")


def _written(attributes: Mapping[str, object]) -> str:
    return "".join(f" {name}={_quoted(value)}" for name, value in attributes.items())


def _quoted(value: object) -> str:
    # Most are numbers, and nothing in them has to be escaped.
    return f'"{value}"' if isinstance(value, int | float) else quoteattr(_legal(value))


def _legal(value: object) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", str(value))
