"""Pages of any length of list at the same cost: each begins after the sort key of the last row seen."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, tuple_

from app.errors import Unprocessable
from app.extensions import db

LARGEST_ID = 2**31 - 1
LONGEST_CURSOR = 2000  # characters


@dataclass(frozen=True)
class Order:
    """What a list may be sorted by: never NULL.

    Args:
        column: of the model.
        read: makes a value of that column of the text in a cursor.
    """

    column: Any
    read: Callable[[str], Any]


@dataclass(frozen=True)
class Wanted:
    """One page: sorted by a name of the orders, "-" before it for descending; `cursor` is what the last page gave."""

    sort: str
    cursor: str = ""
    limit: int = 50


def page(statement: Select[Any], orders: Mapping[str, Order], pk: Any, wanted: Wanted) -> tuple[list[Any], str | None]:
    """Return one page of rows and the cursor of the next, None at the end.

    Raises:
        Unprocessable: when the cursor is not one of ours, or of another order.
    """
    order, falls = orders[wanted.sort.removeprefix("-")], wanted.sort.startswith("-")
    columns = (pk,) if order.column is pk else (order.column, pk)
    if wanted.cursor:
        key, after = tuple_(*columns), _read(wanted, order)[-len(columns) :]
        statement = statement.where(key < after if falls else key > after)
    statement = statement.order_by(*(column.desc() if falls else column for column in columns))
    found = list(db.session.scalars(statement.limit(wanted.limit + 1)).unique())
    if len(found) <= wanted.limit:
        return found, None
    last = found[wanted.limit - 1]
    value = getattr(last, order.column.key)
    parts = [wanted.sort, value.isoformat() if hasattr(value, "isoformat") else str(value), last.id]
    return found[: wanted.limit], base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _read(wanted: Wanted, order: Order) -> tuple[Any, int]:
    """Read a cursor back.

    Raises:
        Unprocessable: see `page`.
    """
    try:
        if len(wanted.cursor) > LONGEST_CURSOR:
            raise ValueError
        sort, value, pk = json.loads(base64.urlsafe_b64decode(wanted.cursor + "=" * (-len(wanted.cursor) % 4)))
        value.encode()
        if sort != wanted.sort or type(pk) is not int or not 0 <= pk <= LARGEST_ID or "\x00" in value:
            raise ValueError
        return order.read(value), pk
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        message = "This cursor is not one of ours, or of a list in another order."
        raise Unprocessable(message, {"cursor": [message]}) from error
