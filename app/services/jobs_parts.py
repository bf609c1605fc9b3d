"""Parts: how one large job becomes many that several workers take, and one again at its end.

A part is a row of `jobs` like any other, with lease, attempts and progress of its own; a split job waits for its parts
as `running` without a lease. Celery's chord is not used: it counts ends in Redis, which may forget, and counts a
message that is delivered twice as two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, select, update
from sqlalchemy.orm import aliased

from app.db import transaction, utcnow
from app.extensions import db
from app.models.jobs import ACTIVE, Job


@dataclass(frozen=True)
class Part:
    """A piece of a large job, as its plan wants it.

    Args:
        args: what the job's function is called with, beside the arguments of the whole.
        rows: how many rows it is, for the progress.
    """

    args: dict[str, Any]
    rows: int = 1


@cache
def waits_for_parts() -> ColumnElement[bool]:
    """Select split jobs whose parts have all ended, and which nobody has taken up since."""
    part = aliased(Job)
    active = select(part.id).where(part.parent_id == Job.id, part.status.in_(ACTIVE)).correlate(Job).exists()
    waiting = and_(Job.status == "running", Job.parts_total.is_not(None), Job.lease_expires_at.is_(None))
    return and_(waiting, ~active)


def add(job: Job, parts: Sequence[Part]) -> None:
    """Add the parts of a job that was just planned, within the present transaction."""
    common = {"name": job.name, "owner_id": job.owner_id, "parent_id": job.id, "status": "queued"}
    common |= {"queue": job.queue, "max_attempts": job.max_attempts, "time_limit": job.time_limit}
    facts = {"created_at": utcnow(), "attempt": 0, "excused": 0, "progress_done": 0}
    rows = [
        common | facts | {"args": part.args, "progress_total": part.rows, "part": number}
        for number, part in enumerate(parts)
    ]
    if rows:
        db.session.execute(insert(Job), rows)


def of(job_id: int) -> list[Job]:
    """Return the parts of a job, in the order of the plan."""
    statement = select(Job).where(Job.parent_id == job_id).order_by(Job.part)
    return list(db.session.scalars(statement.execution_options(populate_existing=True)))


def args_of(job: Job) -> dict[str, Any]:
    """Return what the function of a job is called with: for a part, the whole's arguments and its own."""
    if job.parent_id is None:
        return job.args
    return (db.session.scalar(select(Job.args).where(Job.id == job.parent_id)) or {}) | job.args


def settle(job_id: int) -> Job | None:
    """Add up the progress of a split job after one of its parts ended; return the job if that was the last one.

    Two parts that end at the same time both see the other's end here, since theirs is committed.
    """
    part = aliased(Job)
    done = select(func.sum(part.progress_done)).where(part.parent_id == job_id).scalar_subquery()
    with transaction() as session:
        running = update(Job).where(Job.id == job_id, Job.status == "running")
        session.execute(running.values(progress_done=done).execution_options(synchronize_session=False))
    ready = and_(Job.id == job_id, waits_for_parts())
    whole = db.session.scalar(select(Job).where(ready).execution_options(populate_existing=True))
    if whole is None or whole.cancel_requested_at is None:
        return whole
    with transaction() as session:
        values = {"status": "cancelled", "finished_at": utcnow()}
        session.execute(update(Job).where(ready).values(values).execution_options(synchronize_session=False))
    return None
