"""What all tables share: the collection that they belong to, and how indexes are named."""

from typing import Any

from sqlalchemy import Column, Index, MetaData, text

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_unique",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_N_name)s_reference",
        "pk": "%(table_name)s_key",
    }
)


def partial_index(name: str, *columns: str | Column[Any], where: str) -> Index:
    """Over the rows that fulfil the condition, on both databases."""
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))
