"""Column types that mean the same on both databases."""

from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import JSON, Dialect, LargeBinary, Row, TypeDecorator, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row whose columns only its query knows; it never leaves this folder."""

Json = JSON().with_variant(JSONB(), "postgresql")


class Identifier(TypeDecorator[UUID]):
    """A UUID: PostgreSQL's own type, 16 raw bytes on SQLite. Order is byte order on both."""

    impl = Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        own: TypeEngine[Any] = Uuid() if dialect.name == "postgresql" else LargeBinary(16)
        return dialect.type_descriptor(own)

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else value.bytes

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:  # noqa: ARG002
        return value if value is None or isinstance(value, UUID) else UUID(bytes=bytes(value))
