"""The trash: deleted todos, until somebody restores them or they are purged."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select, true, tuple_
from sqlalchemy.orm import joinedload, selectinload

from app.errors import NotFound
from app.extensions import db
from app.models.todos import Todo
from app.models.users import User
from app.services.todos_lists import PAGE_SIZE, parsed
from app.services.todos_rules import deletable_by
from app.services.todos_search import matching


def restorable_by(viewer: User) -> ColumnElement[bool]:
    """Select what the viewer may restore or delete for ever."""
    return and_(Todo.deleted_at.is_not(None), deletable_by(viewer))


def in_trash(viewer: User, scope: str, query: str) -> ColumnElement[bool]:
    """Select what a list of the trash shows, over all its pages."""
    own = true() if scope == "all" else Todo.owner_id == viewer.id
    return and_(restorable_by(viewer), matching(query), own)


def page(viewer: User, scope: str = "mine", query: str = "", after: str = "") -> tuple[list[Todo], str]:
    """Return one page of the trash, what was deleted last first, and the cursor of the next, "" at the end."""
    statement = select(Todo).where(in_trash(viewer, scope, query))
    if after:
        key = tuple_(Todo.deleted_at, Todo.id)
        statement = statement.where(key < parsed(after, datetime.fromisoformat, int))
    loaded = (joinedload(Todo.owner), joinedload(Todo.deleted_by), selectinload(Todo.attachments))
    in_order = statement.order_by(Todo.deleted_at.desc(), Todo.id.desc()).options(*loaded)
    found = list(db.session.scalars(in_order.limit(PAGE_SIZE + 1)))
    last = found[PAGE_SIZE - 1] if len(found) > PAGE_SIZE else None
    return found[:PAGE_SIZE], f"{last.deleted_at.isoformat()}_{last.id}" if last and last.deleted_at else ""


def chosen(viewer: User, ids: list[int]) -> list[Todo]:
    """Return these deleted todos.

    Raises:
        NotFound: when one is not in the trash any more, or not the viewer's to restore.
    """
    statement = select(Todo).where(restorable_by(viewer), Todo.id.in_(ids)).order_by(Todo.id)
    found = list(db.session.scalars(statement))
    if len(found) != len(set(ids)):
        raise NotFound("Some of the chosen todos are not in the trash any more. Reload the page and choose again.")
    return found


def until(viewer: User, scope: str, at: datetime) -> ColumnElement[bool]:
    """Select what was in the trash at an instant, one's own or all that one may delete; what gets there later stays."""
    return and_(in_trash(viewer, scope, ""), Todo.deleted_at <= at)


def extent(viewer: User, scope: str, at: datetime) -> tuple[int, range]:
    """Return how many todos emptying the trash would delete, and the ids among which they are."""
    counts = select(func.count(), func.min(Todo.id), func.max(Todo.id)).where(until(viewer, scope, at))
    count, first, last = db.session.execute(counts).one()
    return count, range(first, last + 1) if count else range(0)


def titles(viewer: User, scope: str, at: datetime, most: int) -> list[str]:
    """Return the titles of some that emptying the trash would delete, those deleted last first."""
    statement = select(Todo.title).where(until(viewer, scope, at)).order_by(Todo.deleted_at.desc(), Todo.id.desc())
    return list(db.session.scalars(statement.limit(most)))
