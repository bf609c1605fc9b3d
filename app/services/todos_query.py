"""The todos that a program asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import selectinload

from app.models.todos import Todo
from app.models.users import User
from app.services import paging
from app.services.paging import Order, Wanted
from app.services.todos_lists import LOADED
from app.services.todos_rules import of_person, tagged, visible_to
from app.services.todos_search import matching
from app.services.trash import restorable_by


def _small(text: str) -> int:
    """Read a whole number that every database column holds."""
    value = int(text)
    if abs(value) > paging.LARGEST_ID:
        raise ValueError
    return value


def _instant(text: str) -> datetime:
    """Read an instant that can be told in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


ORDERS = {
    "id": Order(Todo.id, _small),
    "title": Order(Todo.title, str),
    "priority": Order(Todo.priority, _small),
    "due_on": Order(Todo.due_sort, date.fromisoformat),  # those without a date last
    "created_at": Order(Todo.created_at, _instant),
    "updated_at": Order(Todo.updated_at, _instant),
}


@dataclass(frozen=True)
class Query:
    """What the todos have to be; None where it does not matter."""

    mine: bool = False
    complete: bool | None = None
    priority: int | None = None
    owner: str | None = None
    assignee: str | None = None
    tag: str | None = None
    due_from: date | None = None
    due_to: date | None = None
    changed_since: datetime | None = None
    text: str = ""
    deleted: bool = False


def page(viewer: User, query: Query, wanted: Wanted) -> tuple[list[Todo], str | None]:
    """Return one page of the todos that the viewer may see or, of the deleted ones, restore; and the next's cursor."""
    statement = select(Todo).where(*_conditions(viewer, query)).options(*LOADED, selectinload(Todo.tags))
    return paging.page(statement, ORDERS, Todo.id, wanted)


def _conditions(viewer: User, query: Query) -> Iterator[ColumnElement[bool]]:
    """Return what a row has to be."""
    yield restorable_by(viewer) if query.deleted else visible_to(viewer)
    yield matching(query.text)
    if query.mine:
        yield of_person(viewer.id)
    for column, value in ((Todo.complete, query.complete), (Todo.priority, query.priority)):
        if value is not None:
            yield column == value
    if query.owner is not None:
        yield Todo.owner.has(func.lower(User.username) == query.owner.lower())
    if query.assignee is not None:
        yield Todo.assignees.any(func.lower(User.username) == query.assignee.lower())
    if query.tag is not None:
        yield tagged(query.tag)
    if query.due_from:
        yield Todo.due_on >= query.due_from
    if query.due_to:
        yield Todo.due_on <= query.due_to
    if query.changed_since:
        yield Todo.updated_at >= query.changed_since
