"""Job rows: the truth about work, whatever happens to workers and to Redis.

A job is taken by a conditional UPDATE whose row count decides. Each taking is a new attempt, and everything the
worker writes names its attempt, so that one which was thought dead cannot write over its successor.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload, selectinload

from app.db import transaction, utcnow
from app.errors import NotFound
from app.extensions import db
from app.models.jobs import Job
from app.models.users import User
from app.services.permissions import can

PAGE_SIZE = 25
LEASE = timedelta(seconds=60)
RESEND_AFTER = timedelta(seconds=60)
MAX_ATTEMPTS = 3
TRIES = 3
SWEEP_SIZE = 500
ACTIVE = ("queued", "running")


class Superseded(Exception):
    """Another attempt has taken this job over."""


class Cancelled(Exception):
    """Somebody asked for this job to stop."""


def visible_to(viewer: User) -> ColumnElement[bool]:
    """Select the jobs that the viewer may see."""
    return true() if can(viewer, "can_see_all", "Job") else Job.owner_id == viewer.id


def page(viewer: User, before: int | None = None, everyone: bool = False) -> tuple[list[Job], bool]:
    """Return one page of jobs, newest first, and whether more follow."""
    statement = select(Job).where(visible_to(viewer)).options(joinedload(Job.owner), selectinload(Job.attachments))
    if not everyone:
        statement = statement.where(Job.owner_id == viewer.id)
    if before:
        statement = statement.where(Job.id < before)
    found = list(db.session.scalars(statement.order_by(Job.id.desc()).limit(PAGE_SIZE + 1)))
    return found[:PAGE_SIZE], len(found) > PAGE_SIZE


def get(viewer: User, job_id: int) -> Job:
    """Return one job, read afresh.

    Raises:
        NotFound: when there is none that the viewer may see.
    """
    statement = select(Job).where(visible_to(viewer), Job.id == job_id).options(joinedload(Job.owner))
    job = db.session.scalar(statement.execution_options(populate_existing=True))
    if job is None:
        raise NotFound("There is no such job.")
    return job


def create(name: str, args: dict[str, Any], owner_id: int | None, key: str | None) -> tuple[Job, bool]:
    """Add a job, or return the active one with the same idempotency key.

    Returns:
        The job, and whether it is new.
    """
    job = Job(name=name, args=args, owner_id=owner_id, idempotency_key=key)
    for tries_left in reversed(range(TRIES)):
        try:
            with transaction() as session:
                session.add(job)
            return job, True
        except IntegrityError:
            same = select(Job).where(Job.idempotency_key == key, Job.status.in_(ACTIVE))
            if key is not None and (active := db.session.scalar(same)):
                return active, False
            # either it ended between the two statements, or something else is wrong with the row
            if key is None or not tries_left:
                raise
    raise AssertionError("the loop returns or raises")


def mark_sent(job_id: int) -> None:
    """Note that the message is on its way."""
    with transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(sent_at=utcnow()))


def claim(job_id: int) -> Job | None:
    """Take a job that is queued, or whose worker let its lease run out; None if it is not to be had."""
    now = utcnow()
    free = or_(Job.status == "queued", and_(Job.status == "running", Job.lease_expires_at < now))
    with transaction() as session:
        taken = session.execute(
            update(Job)
            .where(Job.id == job_id, free, Job.cancel_requested_at.is_(None), Job.attempt < MAX_ATTEMPTS)
            .values(status="running", attempt=Job.attempt + 1, started_at=now, lease_expires_at=now + LEASE)
        )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        return None
    return db.session.scalar(select(Job).where(Job.id == job_id).execution_options(populate_existing=True))


def renew(job_id: int, attempt: int) -> None:
    """Show that the attempt is alive, in a transaction of its own.

    Raises:
        Superseded: when another attempt has taken over, or this one has ended.
    """
    with transaction() as session:
        statement = update(Job).where(*_held(job_id, attempt)).values(lease_expires_at=utcnow() + LEASE)
        if session.execute(statement).rowcount != 1:  # type: ignore[attr-defined]
            raise Superseded


def advance(job_id: int, attempt: int, done: int, total: int | None) -> None:
    """Record progress and renew the lease within the transaction of the work.

    Raises:
        Superseded: when another attempt has taken over; the work is rolled back.
        Cancelled: when somebody asked to stop; the work of this batch is rolled back.
    """
    values = {"progress_done": done, "progress_total": total, "lease_expires_at": utcnow() + LEASE}
    statement = update(Job).where(*_held(job_id, attempt)).values(values).returning(Job.cancel_requested_at)
    row = db.session.execute(statement.execution_options(synchronize_session=False)).first()
    if row is None:
        raise Superseded
    if row[0] is not None:
        raise Cancelled


def finish(
    job_id: int, attempt: int, status: str, result: dict[str, Any] | None = None, error: str | None = None
) -> None:
    """End a job within the present transaction.

    Raises:
        Superseded: when another attempt has taken over.
        Cancelled: when it succeeded although somebody had asked to stop; the transaction has to be rolled back.
    """
    values = {"status": status, "result": result, "error": error, "finished_at": utcnow(), "lease_expires_at": None}
    statement = update(Job).where(*_held(job_id, attempt)).values(values).returning(Job.cancel_requested_at)
    row = db.session.execute(statement).first()
    if row is None:
        raise Superseded
    if status == "succeeded" and row[0] is not None:
        raise Cancelled


def _held(job_id: int, attempt: int) -> Sequence[ColumnElement[bool]]:
    """Select the job only while this attempt holds it."""
    return Job.id == job_id, Job.attempt == attempt, Job.status == "running"


def request_cancel(viewer: User, job: Job) -> None:
    """Stop a queued job at once and ask a running one to stop at its next batch.

    Raises:
        NotFound: when the job is somebody else's and the viewer does not manage jobs.
    """
    if job.owner_id != viewer.id and not can(viewer, "can_cancel_all", "Job"):
        raise NotFound("You can cancel your own jobs only.")
    now = utcnow()
    with transaction() as session:
        queued = update(Job).where(Job.id == job.id, Job.status == "queued")
        session.execute(queued.values(status="cancelled", cancel_requested_at=now, finished_at=now))
        running = update(Job).where(Job.id == job.id, Job.status == "running")
        session.execute(running.values(cancel_requested_at=now))


def end_abandoned() -> int:
    """Fail the jobs whose last worker died, cancel those that were asked to stop; return how many."""
    now = utcnow()
    lost = and_(Job.status == "running", Job.lease_expires_at < now)
    with transaction() as session:
        cancelled = session.execute(
            update(Job)
            .where(lost, Job.cancel_requested_at.is_not(None))
            .values(status="cancelled", finished_at=now, lease_expires_at=None)
        )
        failed = session.execute(
            update(Job)
            .where(lost, Job.attempt >= MAX_ATTEMPTS)
            .values(
                status="failed",
                error=f"The worker stopped unexpectedly {MAX_ATTEMPTS} times.",
                finished_at=now,
                lease_expires_at=None,
            )
        )
    return cancelled.rowcount + failed.rowcount  # type: ignore[attr-defined]


def to_send() -> list[Job]:
    """Return jobs whose message was never sent, may be lost, or whose worker died.

    A message is sent again after a minute, then after twice as long as it has waited, so that messages do not pile
    up while no worker runs.
    """
    now = utcnow()
    unsent = and_(Job.status == "queued", or_(Job.sent_at.is_(None), Job.sent_at < now - RESEND_AFTER))
    abandoned = and_(Job.status == "running", Job.lease_expires_at < now)
    statement = select(Job).where(or_(unsent, abandoned)).order_by(Job.sent_at.is_not(None), Job.id)
    fresh = statement.limit(SWEEP_SIZE).execution_options(populate_existing=True)
    return [job for job in db.session.scalars(fresh) if _is_due(job, now)]


def _is_due(job: Job, now: datetime) -> bool:
    """Tell whether a queued job has waited long enough since its last message."""
    if job.status == "running" or job.sent_at is None:
        return True
    return now - job.sent_at >= RESEND_AFTER + (job.sent_at - job.created_at) / 2
