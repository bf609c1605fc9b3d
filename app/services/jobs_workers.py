"""Workers as they were last seen: said by themselves, in rows, so that nobody has to ask Redis."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select

from app.db import transaction, utcnow
from app.extensions import db
from app.models.jobs import JobWorker

ALIVE = timedelta(seconds=45)
MISSED_AFTER = timedelta(minutes=2)


def seen(name: str, queues: Sequence[str], processes: int, busy: list[dict[str, Any]]) -> None:
    """Note that a worker lives.

    Args:
        name: as Celery calls it.
        queues: what it takes messages from.
        processes: how many jobs it can work on at a time.
        busy: what it works on: job_id, name, and since when (ISO 8601).
    """
    now = utcnow()
    with transaction() as session:
        row = session.get(JobWorker, name, populate_existing=True) or JobWorker(name=name, started_at=now)
        row.queues, row.processes, row.busy, row.seen_at = " ".join(sorted(queues, reverse=True)), processes, busy, now
        session.add(row)


def gone(name: str) -> None:
    """Forget a worker that ended."""
    with transaction() as session:
        session.execute(delete(JobWorker).where(JobWorker.name == name))


def all_known() -> list[JobWorker]:
    """Return the workers, those seen last first."""
    return list(db.session.scalars(select(JobWorker).order_by(JobWorker.seen_at.desc(), JobWorker.name).limit(100)))


def is_alive(worker: JobWorker) -> bool:
    """Tell whether a worker has shown a sign of life lately."""
    return worker.seen_at > utcnow() - ALIVE


def busy(worker: JobWorker) -> list[tuple[int, str, datetime]]:
    """Return what a worker was working on when it was last seen: number and name of each job, and since when."""
    return [(one["job_id"], one["name"], datetime.fromisoformat(one["since"])) for one in worker.busy]


def silence() -> timedelta | None:
    """Return for how long no worker has been seen, if that is so long that somebody who waits should be told.

    None means that all is well; a worker that was never seen has been silent for ever (`timedelta.max`).
    """
    last = db.session.scalar(select(func.max(JobWorker.seen_at)))
    if last is None:
        return timedelta.max
    quiet = utcnow() - last
    return quiet if quiet >= MISSED_AFTER else None
