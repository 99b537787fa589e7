"""Rows by a list of keys that have several columns."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, or_

K = TypeVar("K")

KEYS_PER_QUERY = 128
"""SQLite limits the depth of an expression to 1000."""


def one_of(keys: Sequence[K], condition: Callable[[K], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Whether the condition of any of 1 to `KEYS_PER_QUERY` keys holds.

    Not `(a, b) in ((1, 2), …)`: for that SQLite reads the whole table. The list is filled up to a
    power of two, so that few different statements have to be compiled.
    """
    if not 1 <= len(keys) <= KEYS_PER_QUERY:
        raise ValueError(f"{len(keys)} keys; from 1 to {KEYS_PER_QUERY} fit into a query")
    size = 1 << (len(keys) - 1).bit_length()
    filled = [*keys, *[keys[-1]] * (size - len(keys))]
    return or_(*(condition(key) for key in filled))
