"""Jobs: submitted and run here; the only file that imports Celery.

Celery and Redis wake workers up; the job's row knows the truth. The message is the row's id and nothing else, it
is sent after the row is committed, and it may be lost, doubled or late without harm.
"""

import json
import logging
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning, SoftTimeLimitExceeded
from celery.signals import setup_logging, worker_process_init, worker_ready
from flask import Flask, current_app
from kombu.transport.redis import Channel

from app import logs
from app.db import after_commit, transaction
from app.errors import AppError, Denied
from app.extensions import db
from app.models.jobs import Job
from app.models.users import User
from app.services import jobs, notifications
from app.services.permissions import can, load_user
from app.tasks.declare import REGISTRY, Run, Spec, job

__all__ = ["REGISTRY", "Run", "Spec", "execute", "init_app", "job", "send", "submit", "submit_for", "sweep"]

log = logging.getLogger(__name__)
Schedule = Mapping[str, tuple[int, Callable[[], Any]]]  # name -> every so many seconds, what runs
SEND_SECONDS = 1  # of waiting for Redis to connect, and again to answer
SEND_OPTIONS = {"socket_timeout": SEND_SECONDS, "max_retries": 0}
SWEEP_SECONDS = 300
GRACE_SECONDS = 20  # between the exception in the job and the kill
VISIBILITY_SECONDS = 3600  # longer than any job, or Redis delivers a running one again


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
    row = jobs.claim(job_id)
    if row is None:
        log.info("job %s is not to be had", job_id)
        return
    told = row.name in REGISTRY and REGISTRY[row.name].told
    run = Run(row.id, row.attempt, load_user(row.owner_id) if row.owner_id else None, row.progress_done, told)
    log.info("job %s %s starts, attempt %s", row.id, row.name, row.attempt)
    try:
        _end(run, *_outcome(run, row))
    except jobs.Superseded:
        log.warning("job %s was taken over by another worker", job_id)


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


def init_app(app: Flask, schedule: Schedule) -> None:
    """Give the application its Celery instance, with a task for each declared job and each line of the schedule."""
    # kombu fails, and the worker with it, while it gives unfinished messages back to a Redis that is gone: nobody
    # needs them back, since the sweeper sends what did not run
    Channel.do_restore = False
    celery = Celery(app.import_name, set_as_current=False)
    celery.conf.update(_settings(app, schedule))
    for spec in REGISTRY.values():
        limits = {"soft_time_limit": spec.time_limit, "time_limit": spec.time_limit + GRACE_SECONDS}
        celery.task(_in_context(app, execute), name=spec.name, shared=False, **limits)
    for name, (_seconds, function) in schedule.items():
        celery.task(_in_context(app, function), name=name, shared=False, time_limit=SWEEP_SECONDS)
    app.extensions["celery"] = celery
    _connect_signals(app)


def _in_context(app: Flask, function: Callable[..., Any]) -> Callable[..., None]:
    """Return the function as it runs in a worker: with the application, its log lines naming the job."""

    def task(*args: Any) -> None:
        with app.app_context(), logs.about(f"job-{args[0]}" if args else "schedule"):
            function(*args)

    return task


def _connect_signals(app: Flask) -> None:
    """Set up logging as in the web process, fresh database connections, and a sweep when a worker starts."""

    def use_our_logging(**_: Any) -> None:
        logs.init_app(app)
        # said at each loss of the connection, about a default that will change
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)

    def forget_parents_connections(**_: Any) -> None:
        with app.app_context():
            db.engine.dispose(close=False)

    def sweep_at_start(**_: Any) -> None:
        with app.app_context():
            sweep()

    setup_logging.connect(use_our_logging, weak=False)
    worker_process_init.connect(forget_parents_connections, weak=False)
    worker_ready.connect(sweep_at_start, weak=False)


def _settings(app: Flask, schedule: Schedule) -> dict[str, Any]:
    """Return Celery's configuration."""
    return {
        "broker_url": app.config["REDIS_URL"].replace("unix://", "redis+socket://"),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_connect_timeout": SEND_SECONDS,
            "socket_timeout": 30,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "global_keyprefix": "todos:",
        },
        "task_default_queue": "jobs",
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_concurrency": app.config["WORKER_CONCURRENCY"],
        "worker_max_tasks_per_child": 1000,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # a job needs no Redis once it runs
        "worker_send_task_events": True,
        # every line of the schedule is safe to run early or twice: nothing has to be remembered in a file
        "beat_scheduler": "celery.beat.Scheduler",
        "beat_schedule": {name: {"task": name, "schedule": seconds} for name, (seconds, _) in schedule.items()},
        "timezone": "UTC",
    }
