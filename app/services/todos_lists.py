"""Lists of todos: one page at a time, at the same cost however many there are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, tuple_, union
from sqlalchemy.orm import joinedload, selectinload

from app.errors import Invalid
from app.extensions import db
from app.models.todos import Todo, todo_assignees
from app.models.users import User
from app.services.todos_rules import matching, of_person, tagged, visible_to

PAGE_SIZE = 50
EXPORT_CAP = 10_000
LOADED = (
    joinedload(Todo.owner),
    joinedload(Todo.tags),  # few and short: one statement less than a select of their own
    selectinload(Todo.assignees),
    selectinload(Todo.attachments),
)


@dataclass(frozen=True)
class Filter:
    """What a list of todos shows; `after` is the cursor of the last row seen."""

    scope: str = "mine"  # or "all"
    done: bool = False
    query: str = ""
    tags: tuple[str, ...] = ()  # all of them
    after: str = ""


def page(viewer: User, wanted: Filter) -> tuple[list[Todo], str]:
    """Return one page and the cursor of the next, "" at the end; three statements however many there are."""
    statement = select(Todo).where(*_conditions(viewer, wanted))
    found = list(db.session.scalars(_in_order(statement, wanted).options(*LOADED).limit(PAGE_SIZE + 1)).unique())
    more = len(found) > PAGE_SIZE
    return found[:PAGE_SIZE], _cursor(found[PAGE_SIZE - 1]) if more else ""


def _conditions(viewer: User, wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Return what a row has to be for a list."""
    yield visible_to(viewer)
    yield Todo.complete.is_(wanted.done)
    yield matching(wanted.query)
    yield from map(tagged, wanted.tags)
    if wanted.scope != "all":
        yield of_person(viewer.id)


def _in_order(statement: Select[Any], wanted: Filter) -> Select[Any]:
    """Sort by due date and priority, finished ones by completion, and start after the cursor."""
    if wanted.done:
        key = tuple_(Todo.completed_at, Todo.id)
        if wanted.after:
            statement = statement.where(key < parsed(wanted.after, datetime.fromisoformat, int))
        return statement.order_by(Todo.completed_at.desc(), Todo.id.desc())
    key = tuple_(Todo.due_sort, Todo.priority, Todo.id)
    if wanted.after:
        statement = statement.where(key > parsed(wanted.after, date.fromisoformat, int, int))
    return statement.order_by(Todo.due_sort, Todo.priority, Todo.id)


def _cursor(todo: Todo) -> str:
    """Return the sort key of a row as text for a URL."""
    if todo.completed_at:
        return f"{todo.completed_at.isoformat()}_{todo.id}"
    return f"{todo.due_sort}_{todo.priority}_{todo.id}"


def parsed(cursor: str, *types: Any) -> tuple[Any, ...]:
    """Read a cursor back.

    Raises:
        Invalid: when it is not one of ours.
    """
    try:
        return tuple(read(part) for read, part in zip(types, cursor.split("_"), strict=True))
    except ValueError as error:
        raise Invalid("This page link is damaged. Start from the first page.") from error


def of_people(viewer: User, people: Sequence[User], size: int) -> dict[int, list[Todo]]:
    """Return up to `size` open todos of each person that the viewer may see, in one statement."""
    ids = [person.id for person in people]
    owners = select(Todo.owner_id.label("user_id"), Todo.id.label("todo_id")).where(Todo.owner_id.in_(ids))
    assigned = select(todo_assignees.c.user_id, todo_assignees.c.todo_id).where(todo_assignees.c.user_id.in_(ids))
    who = union(owners, assigned).subquery()
    in_order = (Todo.due_sort, Todo.priority, Todo.id)
    rank = func.row_number().over(partition_by=who.c.user_id, order_by=in_order)
    ranked = (
        select(who.c.user_id, Todo.id, rank.label("rank"))
        .join(who, who.c.todo_id == Todo.id)
        .where(visible_to(viewer), Todo.complete.is_(False))
        .subquery()
    )
    statement = select(ranked.c.user_id, Todo).join(ranked, ranked.c.id == Todo.id).where(ranked.c.rank <= size)
    found: dict[int, list[Todo]] = {pk: [] for pk in ids}
    for user_id, todo in db.session.execute(statement.order_by(ranked.c.rank)):
        found[user_id].append(todo)
    return found


def matching_ids(viewer: User, wanted: Filter) -> list[int]:
    """Return the ids of all todos that a list shows, over all its pages, up to `EXPORT_CAP`."""
    statement = select(Todo.id).where(*_conditions(viewer, wanted))
    return list(db.session.scalars(statement.order_by(Todo.id).limit(EXPORT_CAP)))
