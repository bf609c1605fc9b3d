"""Named filters of todos, one's own."""

from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy.exc import IntegrityError

from app.db import transaction
from app.errors import Conflict, Invalid, NotFound
from app.extensions import db
from app.models.saved_filters import SavedFilter
from app.models.users import User
from app.services.todos_lists import due_counts

MOST_FILTERS = 30  # of one person
LONGEST_QUERY = 1000  # characters


def of(viewer: User) -> list[SavedFilter]:
    """Return the viewer's filters by name."""
    own = select(SavedFilter).where(SavedFilter.owner_id == viewer.id)
    return list(db.session.scalars(own.order_by(SavedFilter.name)))


def beside(viewer: User, scope: str) -> tuple[dict[str, int], list[SavedFilter]]:
    """Return how many todos are due today and overdue, and the viewer's filters, in one statement."""
    counts = due_counts(viewer, scope)
    one = select(literal(1).label("one")).subquery()
    statement = (
        select(*counts.values(), SavedFilter)
        .select_from(one)
        .outerjoin(SavedFilter, SavedFilter.owner_id == viewer.id)
        .order_by(SavedFilter.name)
    )
    rows = db.session.execute(statement).all()
    return dict(zip(counts, rows[0], strict=False)), [row[-1] for row in rows if row[-1] is not None]


def get(viewer: User, filter_id: int) -> SavedFilter:
    """Return one of the viewer's filters.

    Raises:
        NotFound: when there is none.
    """
    own = select(SavedFilter).where(SavedFilter.owner_id == viewer.id, SavedFilter.id == filter_id)
    found = db.session.scalar(own)
    if found is None:
        raise NotFound("There is no such filter. It may have been deleted.")
    return found


def save(viewer: User, name: str, query: str) -> SavedFilter:
    """Keep the end of a list's address under a name.

    Raises:
        Invalid: when it cannot be kept.
        Conflict: when the viewer has a filter of this name.
    """
    if len(query) > LONGEST_QUERY:
        raise Invalid("This list has too long an address to be kept. Search for less.")
    if _count(viewer) >= MOST_FILTERS:
        raise Invalid(f"You have {MOST_FILTERS} filters. Delete one first.")
    return _stored(SavedFilter(owner_id=viewer.id, query=query), name)


def rename(viewer: User, filter_id: int, name: str) -> SavedFilter:
    """Give one of the viewer's filters another name; see `save` for what is refused."""
    return _stored(get(viewer, filter_id), name)


def delete(viewer: User, filter_id: int) -> SavedFilter:
    """Forget one of the viewer's filters."""
    found = get(viewer, filter_id)
    with transaction() as session:
        session.delete(found)
    return found


def _count(viewer: User) -> int:
    """Return how many filters the viewer has."""
    own = select(func.count()).select_from(SavedFilter).where(SavedFilter.owner_id == viewer.id)
    return int(db.session.scalar(own) or 0)


def _stored(row: Any, name: str) -> SavedFilter:
    """Store a filter under a name."""
    name = " ".join(name.split())
    if not 0 < len(name) <= 50 or not name.isprintable():
        raise Invalid("Give the filter a name of at most 50 characters.")
    try:
        with transaction() as session:
            row.name = name
            session.add(row)
    except IntegrityError as error:
        raise Conflict(f"You have a filter called {name} already.") from error
    found: SavedFilter = row
    return found
