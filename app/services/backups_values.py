"""Values of rows as JSON, the same from SQLite and from PostgreSQL."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, null
from sqlalchemy.types import TypeDecorator

READERS: dict[type, Callable[[Any], Any]] = {
    bytes: b64decode,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
    Decimal: Decimal,
    UUID: UUID,
}


def encode(value: Any) -> Any:
    """Return a value as JSON can say it."""
    if isinstance(value, bytes | memoryview):
        return b64encode(value).decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.name
    return str(value) if isinstance(value, Decimal | UUID) else value


def python_type(column: Column[Any]) -> type:
    """Return the type of a column's values; our own column types are known by what they are made of."""
    kind = column.type
    return (kind.impl_instance if isinstance(kind, TypeDecorator) else kind).python_type


def decoder(column: Column[Any]) -> Callable[[Any], Any]:
    """Return what turns JSON back into values of a column."""
    if isinstance(column.type, JSON):
        # None would become the JSON word null, which is not what SQL calls NULL
        return lambda value: null() if value is None and column.nullable else value
    read = READERS.get(python_type(column))
    return lambda value: read(value) if read and value is not None else value
