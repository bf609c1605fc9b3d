"""Job rows as people know them: asked for, looked at, stopped, run again.

What workers do with the rows is in `jobs_runs`, how one job is many in `jobs_parts`, what brings lost ones back in
`jobs_sweep`.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload, selectinload

from app.db import hold, transaction, utcnow
from app.errors import Conflict, Limited, NotFound
from app.extensions import db
from app.models.jobs import ACTIVE, Job
from app.models.users import User
from app.services import paging
from app.services.jobs_parts import waits_for_parts
from app.services.paging import Order, Wanted
from app.services.permissions import can

PAGE_SIZE = 25
TRIES = 3


def visible_to(viewer: User) -> ColumnElement[bool]:
    """Select the jobs that the viewer may see."""
    return true() if can(viewer, "can_see_all", "Job") else Job.owner_id == viewer.id


def page(viewer: User, before: int | None = None, everyone: bool = False) -> tuple[list[Job], bool]:
    """Return one page of jobs, newest first, and whether more follow; parts are shown with their job only."""
    statement = select(Job).where(visible_to(viewer), Job.parent_id.is_(None))
    statement = statement.options(joinedload(Job.owner), selectinload(Job.attachments))
    if not everyone:
        statement = statement.where(Job.owner_id == viewer.id)
    if before:
        statement = statement.where(Job.id < before)
    found = list(db.session.scalars(statement.order_by(Job.id.desc()).limit(PAGE_SIZE + 1)))
    return found[:PAGE_SIZE], len(found) > PAGE_SIZE


def listed(viewer: User, status: str | None, wanted: Wanted) -> tuple[list[Job], str | None]:
    """Return one page of jobs for a program, and the cursor of the next."""
    statement = select(Job).where(visible_to(viewer)).options(selectinload(Job.attachments))
    if status is not None:
        statement = statement.where(Job.status == status)
    return paging.page(statement, {"id": Order(Job.id, int)}, Job.id, wanted)


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


def _check_limit(session: Any, owner_id: int | None, limit: int) -> None:
    """Let nobody fill the queue alone: who submits twice at once is counted one after the other.

    Raises:
        Limited: when the owner has that many jobs that have not ended.
    """
    hold(session)
    session.execute(select(User.id).where(User.id == owner_id).with_for_update(key_share=True))
    active = select(Job.id).where(Job.owner_id == owner_id, Job.parent_id.is_(None), Job.status.in_(ACTIVE))
    if (session.scalar(select(func.count()).select_from(active.limit(limit).subquery())) or 0) >= limit:
        raise Limited(f"You have {limit} jobs that have not ended. Wait for one to end, or cancel one.")


def create(
    name: str, args: dict[str, Any], owner_id: int | None, key: str | None, limit: int | None = None, **facts: Any
) -> tuple[Job, bool]:
    """Add a job, or return the active one with the same idempotency key.

    Args:
        name: of the declared job.
        args: what its function is called with.
        owner_id: whose it is; None for the system's own.
        key: the idempotency key.
        limit: how many jobs of the owner may be active with this one; None for any number.
        facts: further columns, such as queue and time_limit.

    Returns:
        The job, and whether it is new.

    Raises:
        Limited: when the owner has that many others that have not ended.
    """
    job = Job(name=name, args=args, owner_id=owner_id, idempotency_key=key, **facts)
    for tries_left in reversed(range(TRIES)):
        try:
            with transaction() as session:
                if limit is not None:
                    _check_limit(session, owner_id, limit)
                with session.begin_nested():  # a key that is taken leaves the rest of the caller's transaction alone
                    session.add(job)
            return job, True
        except (IntegrityError, Limited) as error:
            same = select(Job).where(Job.idempotency_key == key, Job.status.in_(ACTIVE))
            if key is not None and (active := db.session.scalar(same)):
                return active, False
            # either it ended between the two statements, or something else is wrong with the row
            if key is None or not tries_left or isinstance(error, Limited):
                raise
    raise AssertionError("the loop returns or raises")


def request_cancel(viewer: User, job: Job) -> None:
    """Stop a queued job at once and ask a running one, and its parts, to stop at the next batch.

    Raises:
        NotFound: when the job is somebody else's and the viewer does not manage jobs.
    """
    if job.owner_id != viewer.id and not can(viewer, "can_cancel_all", "Job"):
        raise NotFound("You can cancel your own jobs only.")
    stop(job)


def cancel_all(viewer: User, found: Sequence[Job]) -> None:
    """Ask many jobs to stop.

    Raises:
        NotFound: when one is somebody else's and the viewer does not manage jobs; none is stopped then.
    """
    with transaction():
        for job in found:
            request_cancel(viewer, job)


def stop(job: Job) -> None:
    """Stop a job, whoever asks."""
    now = utcnow()
    family = or_(Job.id == job.id, Job.parent_id == job.id)
    with transaction() as session:
        # a worker may just hand a job back, or split it: wait for it, since PostgreSQL would pass over what it writes
        session.execute(select(Job.id).where(family).order_by(Job.id).with_for_update(key_share=True)).all()
        ended = {"status": "cancelled", "cancel_requested_at": now, "finished_at": now, "lease_expires_at": None}
        session.execute(update(Job).where(family, Job.status == "queued").values(ended))
        session.execute(update(Job).where(family, Job.status == "running").values(cancel_requested_at=now))
        # nobody works on a job whose parts have all ended: nobody would notice
        session.execute(update(Job).where(Job.id == job.id, waits_for_parts()).values(ended))


def check_again(job: Job, viewer: User | None = None) -> None:
    """Refuse to run a job again.

    Args:
        job: which.
        viewer: who asks; None for whoever runs the site.

    Raises:
        NotFound: when it is somebody else's and the viewer does not manage jobs.
        Conflict: when it has not ended, or is a part of another job.
    """
    if viewer is not None and job.owner_id != viewer.id and not can(viewer, "can_cancel_all", "Job"):
        raise NotFound("You can run your own jobs again only.")
    if not job.is_final:
        raise Conflict("This job has not ended. Cancel it first, or wait.")
    if job.parent_id is not None:
        raise Conflict("This is a part of another job. Run that one again.")
