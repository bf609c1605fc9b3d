"""Telling people what concerns them, once, within the transaction of what happened."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import contains_eager, joinedload

from app.db import transaction, upsert, utcnow
from app.extensions import db
from app.models.jobs import Job
from app.models.notifications import Notification
from app.models.todos import Todo
from app.models.users import User
from app.services.todos_rules import visible_to

PAGE_SIZE = 25


def tell(
    user_ids: Iterable[int],
    kind: str,
    *,
    key: str | None = None,
    by: User | None = None,
    todo_id: int | None = None,
    job_id: int | None = None,
) -> None:
    """Tell people something within the present transaction.

    Args:
        user_ids: whom; the one who did it is left out.
        kind: one of `models.notifications.KINDS`.
        key: what makes it the same thing; whoever was told it before is not told again.
        by: who did it.
        todo_id: the todo it is about.
        job_id: the job it is about.
    """
    about = {"kind": kind, "key": key, "actor": by.get_full_name() if by else "", "todo_id": todo_id, "job_id": job_id}
    add([about | {"user_id": user_id} for user_id in sorted(set(user_ids) - ({by.id} if by else set()))])


def job_ended(job: Job, told: Collection[str]) -> None:
    """Tell the owner of a job within the present transaction that it ended, unless it is a part.

    Args:
        job: which.
        told: names of the jobs of whose end their owners are told.
    """
    if job.owner_id and job.parent_id is None and job.name in told:
        tell([job.owner_id], "job", key=f"job:{job.id}", job_id=job.id)


def add(rows: list[dict[str, Any]]) -> None:
    """Insert notifications within the present transaction, except those that are there already."""
    if rows:
        db.session.execute(upsert(Notification).on_conflict_do_nothing(), rows)


def page(viewer: User, before: int | None = None) -> tuple[list[Notification], bool]:
    """Return one page of the viewer's notifications, newest first, and whether more follow.

    The todo of a notification is loaded only while the viewer may see it.
    """
    statement = (
        select(Notification)
        .outerjoin(Todo, (Todo.id == Notification.todo_id) & visible_to(viewer))
        .options(contains_eager(Notification.todo), joinedload(Notification.job).load_only(Job.name, Job.status))
        .where(Notification.user_id == viewer.id)
        .order_by(Notification.id.desc())
    )
    if before:
        statement = statement.where(Notification.id < before)
    fresh = statement.limit(PAGE_SIZE + 1).execution_options(populate_existing=True)
    found = list(db.session.scalars(fresh))
    return found[:PAGE_SIZE], len(found) > PAGE_SIZE


def mark_read(viewer: User, notification_id: int | None = None) -> int:
    """Mark one of the viewer's notifications as read, or all, and return how many there were."""
    which = [Notification.user_id == viewer.id, Notification.read_at.is_(None)]
    if notification_id is not None:
        which.append(Notification.id == notification_id)
    statement = update(Notification).where(*which).values(read_at=utcnow())
    with transaction() as session:
        found = session.execute(statement.execution_options(synchronize_session=False))
    return int(found.rowcount)  # type: ignore[attr-defined]
