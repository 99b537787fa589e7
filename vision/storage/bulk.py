"""Many rows at once, by columns: binary COPY on PostgreSQL, the driver's executemany on SQLite.

Both use the connection's own transaction. `docs/benchmarks.md` has what this gains.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, TypeAlias

import orjson
from sqlalchemy import JSON, REAL, BigInteger, Connection, Integer, LargeBinary, String, Table, Text
from sqlalchemy.types import Double, TypeEngine

from vision.storage.columns import Identifier

COPY_TYPES: dict[type[TypeEngine[Any]], str] = {
    BigInteger: "int8",
    Double: "float8",
    Identifier: "uuid",
    Integer: "int4",
    JSON: "jsonb",
    LargeBinary: "bytea",
    REAL: "float4",
    String: "text",
    Text: "text",
}


@dataclass(frozen=True, slots=True)
class Same:
    """A column with the same value in every row."""

    value: object


Columns: TypeAlias = Mapping[str, Sequence[object] | Same]
"""By name; those that aren't `Same` have equal lengths, and there is at least one."""


def insert_columns(connection: Connection, table: Table, columns: Columns) -> None:
    """One row per position. Raises ValueError for columns of different lengths."""
    lengths = {len(column) for column in columns.values() if not isinstance(column, Same)}
    if len(lengths) != 1:
        raise ValueError(f"columns of {table.name} have different lengths: {sorted(lengths)}")
    if lengths == {0}:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table, columns)
    else:
        _execute_many(connection, table, columns)


def _copy(connection: Connection, table: Table, columns: Columns) -> None:
    statement = f"copy {table.name} ({', '.join(columns)}) from stdin (format binary)"
    types = [COPY_TYPES[type(table.c[name].type)] for name in columns]
    rows = zip(*(_values(column) for column in columns.values()), strict=False)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _execute_many(connection: Connection, table: Table, columns: Columns) -> None:
    marks = ", ".join("?" * len(columns))
    statement = f"insert into {table.name} ({', '.join(columns)}) values ({marks})"  # noqa: S608
    adapted = [_adapted(column, table.c[name].type) for name, column in columns.items()]
    driver: Any = connection.connection.driver_connection
    driver.executemany(statement, zip(*adapted, strict=False))


def _values(column: Sequence[object] | Same) -> Iterable[Any]:
    return repeat(column.value) if isinstance(column, Same) else column


def _adapted(column: Sequence[object] | Same, kind: TypeEngine[Any]) -> Iterable[Any]:
    """In SQLite's own types."""
    if isinstance(column, Same):
        return repeat(_one_adapted(column.value, kind))
    if isinstance(kind, Identifier | JSON):
        return [_one_adapted(value, kind) for value in column]
    return column


def _one_adapted(value: Any, kind: TypeEngine[Any]) -> Any:
    if isinstance(kind, Identifier) and value is not None:
        return value.bytes
    return orjson.dumps(value).decode() if isinstance(kind, JSON) else value
