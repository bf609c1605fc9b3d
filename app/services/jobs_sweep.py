"""What brings jobs back that lost their message or their worker, ends those that cannot go on, and purges old ones."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, or_, select, update

from app.db import transaction, utcnow
from app.extensions import db
from app.models.attachments import Attachment
from app.models.jobs import FINAL, Job, JobSlot, JobWorker
from app.services import attachments, notifications
from app.services.jobs_parts import waits_for_parts
from app.services.jobs_runs import LEASE, lost, may_start

RESEND_AFTER = timedelta(seconds=60)
SWEEP_SIZE = 500
PURGE_SIZE = 500
SYSTEM_DAYS = 2  # that a job of the system itself is kept after it succeeded
SLOT_DAYS = 7
SILENT_DAYS = 1  # after which a worker that ended without a word is forgotten
TOO_LONG = "It took longer than {} seconds."


def end_abandoned(told: Collection[str]) -> int:
    """End jobs that cannot go on: to be stopped, over their time, or out of attempts; return how many.

    Args:
        told: names of the jobs of whose end their owners are told.
    """
    now = utcnow()
    gone = lost(now)
    ended = {"finished_at": now, "lease_expires_at": None}
    with transaction() as session:
        stopped = and_(or_(gone, waits_for_parts()), Job.cancel_requested_at.is_not(None))
        count = session.execute(update(Job).where(stopped).values(status="cancelled", **ended)).rowcount  # type: ignore[attr-defined]
        for job in session.scalars(select(Job).where(gone).execution_options(populate_existing=True)):
            if error := _why_over(job):
                same = and_(Job.id == job.id, Job.attempt == job.attempt, gone)
                done = session.execute(update(Job).where(same).values(status="failed", error=error, **ended))
                if done.rowcount:  # type: ignore[attr-defined]
                    count += 1
                    notifications.job_ended(job, told)
    return count


def _why_over(job: Job) -> str | None:
    """Say why a job whose worker is gone is not begun again, or None if it is."""
    last_sign = (job.lease_expires_at or utcnow()) - LEASE
    began = job.started_at or last_sign
    if job.time_limit and began + timedelta(seconds=job.time_limit) <= last_sign <= utcnow():
        return TOO_LONG.format(job.time_limit)
    if job.attempts_left <= 0:
        return f"The worker stopped unexpectedly {job.attempt - job.excused} times."
    return None


def to_send() -> list[Job]:
    """Return jobs whose message was never sent, may be lost, or whose worker died, urgent ones first.

    A message is sent again after a minute, and each time after a minute and half as long as the job had waited when
    the last was sent, so that messages do not pile up while no worker runs.
    """
    now = utcnow()
    old = or_(Job.sent_at.is_(None), Job.sent_at < now - RESEND_AFTER, Job.sent_at > now + RESEND_AFTER)
    unsent = and_(or_(may_start(now), waits_for_parts()), old)
    statement = select(Job).where(or_(unsent, lost(now))).order_by(Job.queue.desc(), Job.sent_at.is_not(None), Job.id)
    fresh = statement.limit(SWEEP_SIZE).execution_options(populate_existing=True)
    return [job for job in db.session.scalars(fresh) if _is_due(job, now)]


def _is_due(job: Job, now: datetime) -> bool:
    """Tell whether a queued job has waited long enough since its last message."""
    if job.status == "running" or job.sent_at is None or job.sent_at > now:
        return True
    return now - job.sent_at >= RESEND_AFTER + (job.sent_at - job.created_at) / 2


def let_go(job_id: int, worker: str, pid: int | None) -> None:
    """End the lease of a process that died, so that the job need not wait for it to run out."""
    mine = and_(Job.id == job_id, Job.status == "running", Job.worker == worker, Job.pid == pid)
    with transaction() as session:
        session.execute(update(Job).where(mine).values(lease_expires_at=utcnow() - timedelta(seconds=1)))


def fail_over_time(told: Collection[str], job_id: int, worker: str, pid: int | None) -> None:
    """Fail a job whose process was killed because it took too long; told as in `end_abandoned`."""
    mine = and_(Job.id == job_id, Job.status == "running", Job.worker == worker, Job.pid == pid)
    with transaction() as session:
        job = session.scalar(select(Job).where(mine).execution_options(populate_existing=True))
        if job is None:
            return
        ended = {"finished_at": utcnow(), "lease_expires_at": None, "error": TOO_LONG.format(job.time_limit)}
        statement = update(Job).where(mine, Job.attempt == job.attempt).values(status="failed", **ended)
        if session.execute(statement.execution_options(synchronize_session=False)).rowcount:  # type: ignore[attr-defined]
            notifications.job_ended(job, told)


def mark_sent(ids: list[int]) -> None:
    """Note that messages are on their way."""
    with transaction() as session:
        session.execute(update(Job).where(Job.id.in_(ids)).values(sent_at=utcnow()))


def purge(days: int) -> int:
    """Delete one chunk of jobs that ended long ago, or of their parts; return how many rows that were.

    Their files are cut loose: `attachments.sweep_lost` takes them away, since bytes take longer to delete.

    Args:
        days: how long an ended job is kept; one of the system itself that succeeded goes after two.
    """
    now = utcnow()
    routine = and_(Job.owner_id.is_(None), Job.status == "succeeded", Job.finished_at < now - timedelta(SYSTEM_DAYS))
    old = and_(Job.status.in_(FINAL), or_(Job.finished_at < now - timedelta(days), routine), Job.parent_id.is_(None))
    with transaction() as session:
        ids = list(session.scalars(select(Job.id).where(old).order_by(Job.id).limit(PURGE_SIZE)))
        parts = list(session.scalars(select(Job.id).where(Job.parent_id.in_(ids)).limit(PURGE_SIZE)))
        gone = parts or ids
        attachments.lose(Attachment.job_id.in_(gone))
        session.execute(delete(Job).where(Job.id.in_(gone)))
        session.execute(delete(JobSlot).where(JobSlot.slot_at < now - timedelta(SLOT_DAYS)))
        session.execute(delete(JobWorker).where(JobWorker.seen_at < now - timedelta(SILENT_DAYS)))
    return len(gone)
