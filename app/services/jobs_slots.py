"""Turns of the schedule: a row for each, so that two schedulers start one job, and a late turn comes once at most."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.db import transaction, utcnow
from app.extensions import db
from app.models.jobs import ACTIVE, Job, JobSlot

MISSED_AFTER = timedelta(minutes=45)  # of which some line runs every 15


def slot_of(seconds: int, now: datetime | None = None) -> datetime:
    """Return when the present turn of a line that runs every so many seconds began, in UTC."""
    return datetime.fromtimestamp((now or utcnow()).timestamp() // seconds * seconds, UTC)


def missing(slots: Iterable[tuple[str, datetime]]) -> list[tuple[str, datetime]]:
    """Return those turns that nobody has taken; of a line that was late, the present one only."""
    wanted = list(slots)
    known = select(JobSlot.name, JobSlot.slot_at).where(JobSlot.slot_at.in_({at for _, at in wanted}))
    taken = {(name, at) for name, at in db.session.execute(known)}
    return [slot for slot in wanted if slot not in taken]


def start(name: str, slot_at: datetime, **facts: Any) -> Job | None:
    """Take a turn and add its job in one transaction; None if somebody else has it, or the last one's job goes on.

    Args:
        name: the line of the schedule, and the job.
        slot_at: the turn.
        facts: further columns of the job.
    """
    active = select(Job.id).where(Job.name == name, Job.status.in_(ACTIVE)).order_by(Job.id).limit(1)
    try:
        with transaction() as session:
            slot = JobSlot(name=name, slot_at=slot_at)
            session.add(slot)
            session.flush()
            slot.job_id = session.scalar(active)
            if slot.job_id is not None:
                return None
            job = Job(name=name, args={}, **facts)
            session.add(job)
            session.flush()
            slot.job_id = job.id
    except IntegrityError:
        return None
    return job


def silence() -> timedelta | None:
    """Return how long ago the latest turn of any line began; None if none ever did."""
    last = db.session.scalar(select(func.max(JobSlot.slot_at)))
    return utcnow() - last if last else None


def last_jobs() -> dict[str, Job]:
    """Return the job of each line's last turn."""
    last = select(JobSlot.name, func.max(JobSlot.slot_at).label("at")).group_by(JobSlot.name).subquery()
    statement = select(Job).join(JobSlot, JobSlot.job_id == Job.id)
    statement = statement.join(last, (last.c.name == JobSlot.name) & (last.c.at == JobSlot.slot_at))
    return {job.name: job for job in db.session.scalars(statement)}
