"""Lists of todos: one page at a time, at the same cost however many there are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, select, tuple_, union
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from app.errors import Invalid
from app.extensions import db
from app.models.tags import Tag, todo_tags
from app.models.todos import Todo, todo_assignees
from app.models.users import User
from app.services.todos_rules import of_person, tagged, visible_to
from app.services.todos_search import matching, rank
from app.services.users import today

PAGE_SIZE = 50
LOADED = (
    joinedload(Todo.owner),
    selectinload(Todo.assignees),
    selectinload(Todo.attachments),
)


# what a list shows -> what the link to it says
SHOWN = {
    "open": "Open",
    "mine": "Mine",
    "assigned": "Assigned to me",
    "today": "Today",
    "overdue": "Overdue",
    "upcoming": "Upcoming",
    "done": "Done",
    "any": "Open and done",
}
COUNT_CAP = 99


@dataclass(frozen=True)
class Filter:
    """What a list of todos shows; `after` is the cursor of the last row seen."""

    scope: str = "mine"  # or "all"
    show: str = "open"  # one of SHOWN
    query: str = ""
    tags: tuple[str, ...] = ()  # all of them
    after: str = ""


def page(viewer: User, wanted: Filter) -> tuple[list[Todo], str]:
    """Return one page and the cursor of the next, "" at the end; three statements however many there are."""
    keys = _order(wanted)
    columns = [key.label(f"key_{place}") for place, (key, _) in enumerate(keys)]
    statement = select(Todo.id.label("todo_id"), *columns).where(*conditions(viewer, wanted))
    latest_first = _is_latest_first(wanted)
    if wanted.after:
        at, last = tuple_(*(key for key, _ in keys)), parsed(wanted.after, *(read for _, read in keys))
        statement = statement.where(at < last if latest_first else at > last)
    in_order = statement.order_by(*(key.desc() if latest_first else key for key in columns))
    found = db.session.execute(_whole(in_order.limit(PAGE_SIZE + 1).subquery(), latest_first)).unique().all()
    more = len(found) > PAGE_SIZE
    return [row[0] for row in found[:PAGE_SIZE]], _cursor(found[PAGE_SIZE - 1][1:]) if more else ""


def with_tags(statement: Select[Any]) -> Select[Any]:
    """Load tags along with todos, and whatever else their lines show by statements of its own.

    Two plain joins, since SQLite reads the whole of a join in brackets, which a loader option would make.
    """
    joined = statement.outerjoin(todo_tags, todo_tags.c.todo_id == Todo.id).outerjoin(Tag, Tag.id == todo_tags.c.tag_id)
    return joined.options(contains_eager(Todo.tags), *LOADED)


def _whole(rows: Subquery, latest_first: bool) -> Select[Any]:
    """Return the todos of a page with all that its lines show, from their ids and sort keys."""
    keys = [column for column in rows.c if column.name != "todo_id"]
    statement = with_tags(select(Todo, *keys).join(rows, rows.c.todo_id == Todo.id))
    return statement.order_by(*(key.desc() if latest_first else key for key in keys), Tag.key)


def conditions(viewer: User, wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Return what a row has to be for a list, on whichever of its pages."""
    yield visible_to(viewer)
    yield matching(wanted.query)
    yield from shown(viewer, wanted.show)
    yield from map(tagged, wanted.tags)
    if wanted.scope != "all":
        yield of_person(viewer.id)


def shown(viewer: User, show: str) -> Iterator[ColumnElement[bool]]:
    """Return the conditions of a fixed filter; what is due today is so where the viewer is."""
    if show != "any":
        yield Todo.complete.is_(show == "done")
    if show == "mine":
        yield Todo.owner_id == viewer.id
    elif show == "assigned":
        yield Todo.id.in_(select(todo_assignees.c.todo_id).where(todo_assignees.c.user_id == viewer.id))
    elif show == "today":
        yield Todo.due_sort == today(viewer)
    elif show == "overdue":
        yield Todo.due_sort < today(viewer)
    elif show == "upcoming":
        yield and_(Todo.due_sort > today(viewer), Todo.due_on.is_not(None))


def due_counts(viewer: User, scope: str) -> dict[str, Any]:
    """Return expressions that count, up to one more than `COUNT_CAP`, what is due today and what is overdue."""
    found = {}
    for show in ("today", "overdue"):
        some = select(Todo.id).where(*conditions(viewer, Filter(scope, show))).limit(COUNT_CAP + 1)
        found[show] = select(func.count()).select_from(some.subquery()).scalar_subquery()
    return found


def _is_latest_first(wanted: Filter) -> bool:
    """Tell whether a list is in the order of completion."""
    return wanted.show == "done" and not wanted.query


def _order(wanted: Filter) -> list[tuple[Any, Any]]:
    """Return the columns that a list is sorted by, each with what reads its value from a cursor."""
    if _is_latest_first(wanted):
        return [(Todo.completed_at, datetime.fromisoformat), (Todo.id, int)]
    keys: list[tuple[Any, Any]] = [(Todo.due_sort, date.fromisoformat), (Todo.priority, int), (Todo.id, int)]
    if wanted.show == "any":
        keys.insert(0, (Todo.complete, lambda text: bool(int(text))))
    return [(rank(wanted.query), int), *keys] if wanted.query else keys


def _cursor(values: Sequence[Any]) -> str:
    """Return the sort key of a row as text for a URL."""
    return "_".join(str(int(value)) if isinstance(value, bool) else _text(value) for value in values)


def _text(value: Any) -> str:
    return str(value.isoformat()) if isinstance(value, date) else str(value)


def parsed(cursor: str, *types: Any) -> tuple[Any, ...]:
    """Read a cursor back.

    Raises:
        Invalid: when it is not one of ours.
    """
    try:
        values = tuple(read(part) for read, part in zip(types, cursor.split("_"), strict=True))
        if any(isinstance(value, int) and value.bit_length() > 31 for value in values):
            raise ValueError("no column holds such a number")
        return values
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


def count_open() -> int:
    """Return how many todos of everybody are open."""
    is_open = (Todo.complete.is_(False), Todo.deleted_at.is_(None))
    return int(db.session.scalar(select(func.count()).select_from(Todo).where(*is_open)) or 0)
