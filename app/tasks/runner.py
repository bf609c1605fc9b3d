"""Jobs: submitted and run here.

Celery and Redis wake workers up; the job's row knows the truth.
"""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from celery.exceptions import SoftTimeLimitExceeded
from flask import current_app

from app import logs
from app.db import after_commit, transaction, utcnow
from app.errors import AppError, Conflict, Denied
from app.extensions import db
from app.models.jobs import Job
from app.models.users import User
from app.services import audit, jobs, jobs_parts, jobs_runs, jobs_sweep, notifications
from app.services.permissions import can, load_user
from app.tasks.declare import REGISTRY, TRANSIENT, Part, Run, Spec, Stopping, job, told
from app.tasks.heartbeat import kept_alive
from app.tasks.queue import send

__all__ = ["REGISTRY", "Part", "Run", "Spec", "again", "execute", "job", "send", "submit", "submit_for", "sweep"]

log = logging.getLogger(__name__)
Wake = Callable[[Job], Any]


def submit(viewer: User, spec: Spec, **args: Any) -> Job:
    """Add a job for the viewer and wake a worker; the row stays queued if Redis does not answer.

    Raises:
        Denied: when the viewer lacks the right.
        Limited: when the viewer has too many jobs that have not ended.
    """
    _check(viewer, spec)
    return _add(viewer.id, spec, args, limit=current_app.config["MAX_ACTIVE_JOBS"])


def submit_for(owner_id: int | None, spec: Spec, **args: Any) -> Job:
    """Add a job on behalf of somebody whose right was checked, or of the system itself."""
    return _add(owner_id, spec, args)


def _add(owner_id: int | None, spec: Spec, args: dict[str, Any], wake: Wake = send, **more: Any) -> Job:
    """Add a job and wake a worker; more are arguments of `jobs.create`."""
    key = spec.key(owner_id, args)
    facts: dict[str, Any] = {"queue": spec.queue_of(args), "max_attempts": spec.attempts, "time_limit": spec.time_limit}
    key = f"{spec.name}:{key}"[:128] if key else None
    row, is_new = jobs.create(spec.name, args, owner_id, key, **facts, **more)
    if is_new:
        after_commit(lambda: wake(row))
    return row


def again(viewer: User, row: Job, wake: Wake = send) -> Job:
    """Run an ended job again, as a new one of the same owner that names the old.

    Args:
        wake: what sends the new job's message after the commit.

    Raises:
        NotFound: when it is somebody else's and the viewer does not manage jobs.
        Conflict: when it has not ended, or its kind is gone.
        Denied, Limited: as `submit`.
    """
    jobs.check_again(row, viewer)
    if row.owner_id != viewer.id or row.name not in REGISTRY:
        return repeat(row, wake=wake)
    _check(viewer, REGISTRY[row.name])
    return repeat(row, current_app.config["MAX_ACTIVE_JOBS"], wake)


def again_all(viewer: User, rows: Sequence[Job]) -> int:
    """Run those of the jobs again that have ended, all or none, and return how many; raises as `again`."""
    ended = [row for row in rows if row.is_final]
    made: list[Job] = []
    with transaction():
        for row in ended:
            again(viewer, row, made.append)
    send(*made)  # at once: a Redis that hangs is waited for only once
    return len(ended)


def repeat(row: Job, limit: int | None = None, wake: Wake = send) -> Job:
    """Run an ended job again, whoever asks.

    Args:
        row: which.
        limit: how many jobs its owner may have then; None for any number.
        wake: as `again`.

    Raises:
        Conflict: when it has not ended, or its kind is gone.
        Limited: when its owner has that many others that have not ended.
    """
    jobs.check_again(row)
    spec = REGISTRY.get(row.name)
    if spec is None:
        raise Conflict("This version of the application does not know this kind of job.")
    return _add(row.owner_id, spec, row.args, wake, limit=limit, again_of_id=row.id)


def _check(viewer: User, spec: Spec) -> None:
    """Refuse what the viewer may not start."""
    if spec.permission and not can(viewer, *spec.permission):
        raise Denied("Your role does not let you start this job.")


class Outcome(NamedTuple):
    """How an attempt ended: a final status, "split" into parts, to be tried "again", or "returned" to the queue."""

    status: str
    result: dict[str, Any] | None = None
    error: str | None = None
    parts: Sequence[Part] = ()


def execute(
    job_id: int, worker: str = "", pid: int | None = None, is_stopping: Callable[[], bool] = lambda: False
) -> None:
    """Run a job if it can be claimed; a doubled, late or unknown message does nothing."""
    with audit.acting(audit.Origin(job_id=job_id)):
        row = jobs_runs.claim(job_id, worker, pid)
    if row is None:
        log.info("job %s is not to be had", job_id)
        return
    spec = REGISTRY.get(row.name)
    owner = load_user(row.owner_id) if row.owner_id else None
    run = Run(row.id, row.attempt, owner, row.progress_done, dict(row.result or {}), is_stopping)
    logs.job_owner.set(row.owner_id)
    log.info("job %s %s starts, attempt %s", row.id, row.name, row.attempt)
    with audit.acting(audit.Origin(lambda: row.owner_id, job_id=row.parent_id or row.id)):
        _attempt(run, row, spec)
        if row.parent_id and (whole := jobs_parts.settle(row.parent_id)):
            send(whole)


def _attempt(run: Run, row: Job, spec: Spec | None) -> None:
    """Work on a job that was claimed, and write how that ended."""
    try:
        with kept_alive(run):
            _end(run, row, spec, _outcome(run, row, spec))
    except jobs_runs.Superseded:
        log.warning("job %s was taken over by another worker", row.id)
    except TRANSIENT as error:
        db.session.rollback()
        log.warning("the end of job %s could not be written: %s", row.id, type(error).__name__)


def _outcome(run: Run, row: Job, spec: Spec | None) -> Outcome:
    """Call the job's function and say how it ended."""
    try:
        if spec is None:
            raise AppError("This version of the application does not know this kind of job.")
        if spec.permission and (run.owner is None or not can(run.owner, *spec.permission)):
            raise Denied("No longer permitted: the person who started this job lost the right to it.")
        return _work(run, row, spec)
    except jobs_runs.Superseded:
        raise
    except jobs_runs.Cancelled:
        return Outcome("cancelled")
    except Stopping:
        return Outcome("returned")
    except SoftTimeLimitExceeded:
        return Outcome("failed", error=jobs_sweep.TOO_LONG.format(row.time_limit))
    except Exception as error:  # noqa: BLE001, the boundary to whatever a job does
        if run.came_further:
            row.excused = row.attempt - 1  # as its row says by now
        return _failure(error, row, spec)
    finally:
        run.close()


def _work(run: Run, row: Job, spec: Spec) -> Outcome:
    """Plan a large job, put its parts' results together, or do the work."""
    if spec.plan and row.parent_id is None:
        if row.parts_total is None:
            return Outcome("split", parts=list(spec.plan(run, **row.args)))
        return _joined(spec, jobs_parts.of(row.id))
    result = spec.function(run, **jobs_parts.args_of(row))
    json.dumps(result)
    db.session.flush()  # what cannot be stored fails the job while it can still fail
    return Outcome("succeeded", result)


def _joined(spec: Spec, parts: Sequence[Job]) -> Outcome:
    """Make one end of the ends of all parts."""
    result = spec.finish([part.result or {} for part in parts if part.status == "succeeded"])
    others = [part for part in parts if part.status != "succeeded"]
    if not others:
        return Outcome("succeeded", result)
    why = others[0].error or "It was cancelled."
    return Outcome("failed", result, f"{len(others)} of {len(parts)} parts failed. {why}")


def _failure(error: Exception, row: Job, spec: Spec | None) -> Outcome:
    """Tell an error that passes from one that stays; people read a sentence, the log the rest."""
    passes = spec is not None and isinstance(error, spec.retry_on) and row.attempts_left > 0
    sentence = f"Something went wrong on our side. Quote job {row.id} when you ask for help."
    if isinstance(error, AppError):
        sentence = error.message
    elif not passes:
        log.error("job %s failed", row.id, exc_info=error)
    if passes:
        log.warning("attempt %s at job %s failed: %r", row.attempt, row.id, error)
    return Outcome("again" if passes else "failed", error=sentence)


def _end(run: Run, row: Job, spec: Spec | None, how: Outcome) -> None:
    """Commit the end of the attempt with whatever its function left uncommitted; drop the latter if it failed."""
    if how.status != "succeeded":
        db.session.rollback()
    try:
        with transaction():
            _write(run, row, spec, how)
    except jobs_runs.Cancelled:
        how = Outcome("cancelled")
        with transaction():
            jobs_runs.finish(run.job_id, run.attempt, "cancelled")
    log.info("job %s %s", run.job_id, how.status)
    if how.status == "split":
        send(*(jobs_parts.of(row.id) or [row]))


def _write(run: Run, row: Job, spec: Spec | None, how: Outcome) -> None:
    """Write how an attempt ended within the present transaction."""
    if how.status == "split":
        jobs_runs.split(row, how.parts)
    elif how.status == "returned":
        jobs_runs.put_back(run.job_id, run.attempt, excused=True)
    elif how.status == "again" and spec is not None:
        jobs_runs.put_back(run.job_id, run.attempt, utcnow() + spec.delay(row.attempt - row.excused), how.error)
    else:
        jobs_runs.finish(run.job_id, run.attempt, how.status, how.result, how.error)
        if run.owner and how.status != "cancelled":
            notifications.job_ended(row, told())


def sweep() -> int:
    """Send what was not sent, or whose worker died; return how many messages went out."""
    jobs_sweep.end_abandoned(told())
    waiting = jobs_sweep.to_send()
    return send(*waiting) if waiting else 0
