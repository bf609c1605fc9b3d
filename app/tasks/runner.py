"""Jobs: submitted and run here.

Celery and Redis wake workers up; the job's row knows the truth. The message is the row's id and nothing else, it
is sent after the row is committed, and it may be lost, doubled or late without harm.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from app.db import after_commit, transaction
from app.errors import AppError, Denied
from app.extensions import db
from app.models.jobs import Job
from app.models.users import User
from app.services import audit, jobs, notifications
from app.services.permissions import can, load_user
from app.tasks.declare import REGISTRY, Run, Spec, job

__all__ = ["REGISTRY", "Run", "Spec", "execute", "job", "send", "submit", "submit_for", "sweep"]

log = logging.getLogger(__name__)
SEND_SECONDS = 1  # of waiting for Redis to connect, and again to answer
SEND_OPTIONS = {"socket_timeout": SEND_SECONDS, "max_retries": 0}


def submit(viewer: User, spec: Spec, **args: Any) -> Job:
    """Add a job for the viewer and wake a worker; the row stays queued if Redis does not answer.

    Raises:
        Denied: when the viewer lacks the right.
    """
    if spec.permission and not can(viewer, *spec.permission):
        raise Denied("Your role does not let you start this job.")
    return submit_for(viewer.id, spec, **args)


def submit_for(owner_id: int | None, spec: Spec, **args: Any) -> Job:
    """Add a job on behalf of somebody whose right was checked, or of the system itself."""
    key = spec.key(owner_id, args)
    row, is_new = jobs.create(spec.name, args, owner_id, f"{spec.name}:{key}"[:128] if key else None)
    if is_new:
        after_commit(lambda: send(row))
    return row


def send(row: Job) -> bool:
    """Send the job's message and return whether Redis took it; never waits long."""
    celery: Celery = current_app.extensions["celery"]
    try:
        with celery.connection_for_write(transport_options=SEND_OPTIONS) as connection:
            celery.send_task(row.name, args=[row.id], connection=connection, retry=False)
    except Exception as error:  # noqa: BLE001, whichever layer notices first that Redis is away
        log.warning("job %s stays queued, Redis does not answer: %s", row.id, type(error).__name__)
        return False
    jobs.mark_sent(row.id)
    return True


def execute(job_id: int) -> None:
    """Run a job if it can be claimed; a doubled, late or unknown message does nothing."""
    with audit.acting(audit.Origin(job_id=job_id)):
        row = jobs.claim(job_id)
    if row is None:
        log.info("job %s is not to be had", job_id)
        return
    told = row.name in REGISTRY and REGISTRY[row.name].told
    run = Run(row.id, row.attempt, load_user(row.owner_id) if row.owner_id else None, row.progress_done, told)
    log.info("job %s %s starts, attempt %s", row.id, row.name, row.attempt)
    try:
        with _heartbeat(run), audit.acting(audit.Origin(lambda: row.owner_id, job_id=row.id)):
            _end(run, *_outcome(run, row))
    except jobs.Superseded:
        log.warning("job %s was taken over by another worker", job_id)


@contextmanager
def _heartbeat(run: Run) -> Iterator[None]:
    """Renew the lease from a thread of its own, so that one long step does not lose it."""
    ended = Event()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def beat() -> None:
        while not ended.wait(jobs.LEASE.total_seconds() / 3):
            try:
                with app.app_context():
                    jobs.renew(run.job_id, run.attempt)
            except jobs.Superseded:
                return
            except SQLAlchemyError as error:
                log.warning("the lease of job %s could not be renewed: %s", run.job_id, type(error).__name__)

    thread = Thread(target=beat, name=f"lease of job {run.job_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(jobs.LEASE.total_seconds())


def _outcome(run: Run, row: Job) -> tuple[str, dict[str, Any] | None, str | None]:
    """Call the job's function and say how it ended: status, result, error."""
    spec = REGISTRY.get(row.name)
    sentence = f"Something went wrong on our side. Quote job {row.id} when you ask for help."
    try:
        if spec is None:
            raise AppError("This version of the application does not know this kind of job.")
        if spec.permission and (run.owner is None or not can(run.owner, *spec.permission)):
            raise Denied("No longer permitted: the person who started this job lost the right to it.")
        result = spec.function(run, **row.args)
        json.dumps(result)
        db.session.flush()  # what cannot be stored fails the job while it can still fail
        return "succeeded", result, None
    except jobs.Superseded:
        raise
    except jobs.Cancelled:
        return "cancelled", None, None
    except SoftTimeLimitExceeded:
        return "failed", None, f"It took longer than {spec.time_limit if spec else 0} seconds."
    except AppError as error:
        return "failed", None, error.message
    except Exception:
        log.exception("job %s failed", run.job_id)  # the row cannot be read until the rollback
        return "failed", None, sentence
    finally:
        run.close()


def _end(run: Run, status: str, result: dict[str, Any] | None, error: str | None) -> None:
    """Commit the end of the job with whatever its function left uncommitted; drop the latter if it failed."""
    if status != "succeeded":
        db.session.rollback()
    try:
        with transaction():
            jobs.finish(run.job_id, run.attempt, status, result, error)
            if run.owner and run.told and status != "cancelled":
                notifications.tell([run.owner.id], "job", key=f"job:{run.job_id}", job_id=run.job_id)
    except jobs.Cancelled:
        status = "cancelled"
        with transaction():
            jobs.finish(run.job_id, run.attempt, status)
    log.info("job %s %s", run.job_id, status)


def sweep() -> int:
    """Send what was not sent, or whose worker died; return how many messages went out."""
    jobs.end_abandoned()
    sent = 0
    for row in jobs.to_send():
        if not send(row):
            break  # Redis is away: the next sweep tries again
        sent += 1
    return sent
