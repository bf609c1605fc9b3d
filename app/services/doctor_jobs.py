"""Whether jobs are taken, worked on and started by the clock, and whether the site is open."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select

from app.db import utcnow
from app.extensions import db
from app.models.jobs import QUEUES, Job
from app.services import jobs_slots, jobs_workers, maintenance
from app.services.doctor_finding import Finding

WAITING = timedelta(minutes=10)


def jobs() -> Iterator[Finding]:
    """Look for jobs that nobody takes."""
    rows = db.session.execute(select(Job.status, func.count()).group_by(Job.status))
    counts = {status: count for status, count in rows}  # noqa: C416, a Row is no pair to dict()
    oldest = db.session.scalar(select(func.min(Job.created_at)).where(Job.status == "queued"))
    if oldest and utcnow() - oldest > WAITING:
        minutes = (utcnow() - oldest) // timedelta(minutes=1)
        found = f"one has waited for {minutes:,} minutes, {counts['queued']:,} wait"
        yield Finding("jobs", "failed", found, "Start a worker: celery -A run worker; and celery -A run beat.")
    else:
        yield Finding("jobs", "ok", f"{counts.get('queued', 0):,} wait, {counts.get('running', 0):,} run")


def workers() -> Iterator[Finding]:
    """Look for workers that live, for each queue one."""
    alive = [worker for worker in jobs_workers.all_known() if jobs_workers.is_alive(worker)]
    served = {queue for worker in alive for queue in worker.queues.split()}
    if not alive:
        yield Finding("workers", "failed", "none has shown a sign of life lately", "Start one: celery -A run worker")
    elif forgotten := [queue for queue in QUEUES if queue not in served]:
        found = f"{len(alive)} alive, but none takes the queue {' or '.join(forgotten)}"
        yield Finding("workers", "failed", found, f"Start one: celery -A run worker --queues={','.join(forgotten)}")
    else:
        yield Finding("workers", "ok", f"{len(alive)} alive")


def scheduler() -> Iterator[Finding]:
    """Look for somebody who starts what runs by the clock; while the site is closed nobody does."""
    silence = jobs_slots.silence()
    if silence is None:
        found = "nothing has ever been started by the clock"
        yield Finding("scheduler", "warning", found, "Start one: celery -A run beat; and a worker.")
    elif silence > jobs_slots.MISSED_AFTER and not maintenance.sign():
        found = f"nothing has been started by the clock for {silence // timedelta(minutes=1):,} minutes"
        yield Finding("scheduler", "failed", found, "Start one: celery -A run beat. It needs Redis and a worker.")
    else:
        yield Finding("scheduler", "ok", f"last turn {silence // timedelta(minutes=1)} minutes ago")


def closed() -> Iterator[Finding]:
    """Remind of a site that is closed."""
    if sign := maintenance.sign():
        since = f"{sign.since:%Y-%m-%d %H:%M} UTC"
        yield Finding("maintenance", "warning", f"the site is closed since {since}", "Run flask maintenance off.")
