"""Attempts at jobs: taken, shown to be alive, ended, or put back.

A job is taken by a conditional UPDATE whose row count decides. Each taking is a new attempt, and everything the
worker writes names its attempt, so that one which was thought dead cannot write over its successor.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, func, or_, update

from app.db import transaction, utcnow
from app.extensions import db
from app.models.jobs import Job
from app.services import jobs_parts
from app.services.jobs_parts import Part

LEASE = timedelta(seconds=60)


class Superseded(Exception):
    """Another attempt has taken this job over."""


class Cancelled(Exception):
    """Somebody asked for this job to stop."""


def lost(now: datetime) -> ColumnElement[bool]:
    """Select running jobs whose worker let the lease run out.

    A lease that ends later than any can was given by a clock that jumped.
    """
    return and_(Job.status == "running", or_(Job.lease_expires_at < now, Job.lease_expires_at > now + 2 * LEASE))


def may_start(now: datetime) -> ColumnElement[bool]:
    """Select queued jobs that need not wait for their next try."""
    return and_(Job.status == "queued", or_(Job.next_try_at.is_(None), Job.next_try_at <= now))


def claim(job_id: int, worker: str = "", pid: int | None = None) -> Job | None:
    """Take a job that is queued, whose worker let its lease run out, or whose parts have ended; None if it is not to
    be had.

    What is returned belongs to no session: a rollback would make it unreadable.

    Args:
        job_id: which.
        worker: name of the Celery worker that takes it.
        pid: its process, so that its parent can tell when that is gone.
    """
    now = utcnow()
    free = or_(may_start(now), lost(now), jobs_parts.waits_for_parts())
    left = Job.attempt - Job.excused < Job.max_attempts
    values = {"status": "running", "attempt": Job.attempt + 1, "started_at": now, "lease_expires_at": now + LEASE}
    values |= {"worker": worker or None, "pid": pid, "next_try_at": None, "error": None}
    statement = update(Job).where(Job.id == job_id, free, Job.cancel_requested_at.is_(None), left)
    statement = statement.values(values).returning(*Job.__table__.columns)
    with transaction() as session:
        taken = session.execute(statement.execution_options(synchronize_session=False)).mappings().first()
    return Job(**taken) if taken else None


def renew(job_id: int, attempt: int) -> None:
    """Show that the attempt is alive, in a transaction of its own.

    Raises:
        Superseded: when another attempt has taken over, or this one has ended.
    """
    with transaction():
        _write(job_id, attempt, lease_expires_at=utcnow() + LEASE)


def advance(
    job_id: int, attempt: int, done: int, total: int | None, found: dict[str, Any] | None = None, further: bool = False
) -> None:
    """Record progress and renew the lease within the transaction of the work.

    Args:
        job_id: which.
        attempt: the one that works on it.
        done: how many rows it has behind it.
        total: of how many.
        found: the result so far, if the job counts something.
        further: no attempt came so far before, and so those before do not count: long work may lose many workers.

    Raises:
        Superseded: when another attempt has taken over; the work is rolled back.
        Cancelled: when somebody asked to stop; the work of this batch is rolled back.
    """
    values: dict[str, Any] = {"progress_done": done, "progress_total": total, "lease_expires_at": utcnow() + LEASE}
    values |= {"excused": attempt - 1} if further else {}
    if _write(job_id, attempt, **values, **({"result": found} if found else {})):
        raise Cancelled


def finish(
    job_id: int, attempt: int, status: str, result: dict[str, Any] | None = None, error: str | None = None
) -> None:
    """End a job within the present transaction.

    Raises:
        Superseded: when another attempt has taken over.
        Cancelled: when it succeeded although somebody had asked to stop; the transaction has to be rolled back.
    """
    values: dict[str, Any] = {
        "status": status,
        "error": error,
        "finished_at": utcnow(),
        "lease_expires_at": None,
    }
    if result is not None:
        values["result"] = result  # else what was found until then stays
    if status == "succeeded":
        values["progress_done"] = func.coalesce(Job.progress_total, Job.progress_done)
    if _write(job_id, attempt, **values) and status == "succeeded":
        raise Cancelled


def split(job: Job, parts: Sequence[Part]) -> None:
    """Turn a job that was planned into its parts within the present transaction; the job itself waits for them.

    Raises:
        Superseded: when another attempt has taken over.
        Cancelled: when somebody asked to stop; the transaction has to be rolled back.
    """
    facts = {"parts_total": len(parts), "progress_done": 0, "progress_total": sum(part.rows for part in parts)}
    values = facts | {"lease_expires_at": None, "worker": None, "pid": None, "excused": Job.excused + 1}
    if _write(job.id, job.attempt, **values):
        raise Cancelled
    jobs_parts.add(job, parts)


def put_back(
    job_id: int, attempt: int, next_try_at: datetime | None = None, error: str | None = None, excused: bool = False
) -> None:
    """Queue a job again within the present transaction: its worker has to end, or it failed in a way that passes.

    Args:
        job_id: which.
        attempt: the one that ends.
        next_try_at: not before.
        error: why, a sentence for people.
        excused: the attempt does not count.

    Raises:
        Superseded: when another attempt has taken over.
        Cancelled: when somebody asked to stop; the transaction has to be rolled back.
    """
    values: dict[str, Any] = {
        "status": "queued",
        "lease_expires_at": None,
        "sent_at": None,
        "worker": None,
        "pid": None,
    }
    values |= {"next_try_at": next_try_at, "error": error, "excused": Job.excused + int(excused)}
    if _write(job_id, attempt, **values):
        raise Cancelled


def _held(job_id: int, attempt: int) -> Update:
    """Return an UPDATE of the row while this attempt holds it."""
    return update(Job).where(Job.id == job_id, Job.attempt == attempt, Job.status == "running")


def _write(job_id: int, attempt: int, **values: Any) -> bool:
    """Change the row while this attempt holds it, and tell whether somebody asked to stop.

    Raises:
        Superseded: when it does not hold it any more.
    """
    statement = _held(job_id, attempt).values(values).returning(Job.cancel_requested_at)
    row = db.session.execute(statement.execution_options(synchronize_session=False)).first()
    if row is None:
        raise Superseded
    return row[0] is not None
