"""The end of the trash: what is purged, and how many at a time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, select

from app.db import transaction, utcnow
from app.models.attachments import Attachment
from app.models.todos import Todo
from app.models.users import User
from app.services import attachments
from app.services.trash import restorable_by, until

PURGE_SIZE = 100  # todos in one transaction; more are a job's work when somebody empties their trash


def purge(viewer: User, ids: list[int]) -> int:
    """Delete todos of the trash for ever, with their files, and return how many there were."""
    return _purge(and_(restorable_by(viewer), Todo.id.in_(ids)))


def empty(viewer: User, scope: str, at: datetime) -> int:
    """Delete what was in the trash at an instant for ever, and return how many todos there were."""
    return _purge(until(viewer, scope, at))


def empty_part(viewer: User, scope: str, at: datetime, ids: Sequence[int]) -> int:
    """Do the same for those from the first to the last of some ids, within the present transaction.

    The bytes of their files are left to `attachments.sweep_lost`.
    """
    part, count = and_(until(viewer, scope, at), Todo.id.between(ids[0], ids[-1])), 0
    while batch := _purge_batch(part):
        count += batch
    return count


def purge_expired(days: int) -> int:
    """Delete for ever what has been in the trash for so many days, and return how many todos there were."""
    return _purge(Todo.deleted_at < utcnow() - timedelta(days=days))


def _purge(which: ColumnElement[bool]) -> int:
    """Delete the selected todos in transactions of bounded size, then the bytes of their files."""
    count = 0
    while batch := _purge_batch(which):
        count += batch
        attachments.sweep_lost()
    return count


def _purge_batch(which: ColumnElement[bool]) -> int:
    """Delete some of the selected todos; their files are cut loose first, since bytes take longer to delete."""
    with transaction() as session:
        some = select(Todo.id).where(which).order_by(Todo.deleted_at, Todo.id).limit(PURGE_SIZE)
        ids = list(session.scalars(some.with_for_update(of=Todo, skip_locked=True)))
        still = and_(which, Todo.id.in_(ids))  # SQLite locks only now: somebody may have restored one
        attachments.lose(Attachment.todo_id.in_(select(Todo.id).where(still)))
        return session.execute(delete(Todo).where(still).execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
