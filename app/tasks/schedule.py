"""What runs by the clock: each turn is a job of the system, which may run early, late or twice without harm."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import current_app

from app.db import utcnow
from app.models.jobs import Job
from app.services import (
    attachments,
    audit_purge,
    comments,
    health,
    idempotency,
    imports_staged,
    jobs_slots,
    jobs_sweep,
    todos_lists,
    trash_purge,
    undo,
    users_accounts,
)
from app.tasks import broker, users
from app.tasks.declare import REGISTRY, Run, job
from app.tasks.queue import send, sweep

UNSAVED_HOURS = 24
LONGEST_SESSION_HOURS = 2160  # what SESSION_HOURS can be at most


def sweep_unsaved() -> int:
    """Delete uploads whose form was never saved."""
    return attachments.sweep_unsaved(UNSAVED_HOURS)


def sweep_sessions() -> int:
    """Forget sessions that were logged out long ago."""
    return users_accounts.sweep_ended_sessions(LONGEST_SESSION_HOURS)


def purge_trash() -> int:
    """Delete for ever what has been in the trash for too long, and comments that were deleted as long ago."""
    days = current_app.config["TRASH_DAYS"]
    return trash_purge.purge_expired(days) + comments.purge_deleted(days)


def purge_audit() -> int:
    """Delete the entries of the audit trail that are too old to be kept."""
    return audit_purge.purge(current_app.config["AUDIT_DAYS"])


def purge_jobs() -> int:
    """Delete jobs that ended long ago, with their files, some hundreds at a time."""
    count = 0
    while gone := jobs_sweep.purge(current_app.config["JOB_DAYS"]):
        count += gone
        attachments.sweep_lost()
    return count


SCHEDULE: Mapping[str, tuple[int, Callable[[], Any]]] = {
    # name: (every so many seconds, what)
    "attachments.sweep_unsaved": (3600, sweep_unsaved),
    "jobs.purge": (3600, purge_jobs),
    "trash.purge": (3600, purge_trash),
    "undo.sweep": (3600, undo.sweep),
    "users.greet": (900, users.greet),
    "idempotency.sweep": (3600, idempotency.sweep),
    "imports.sweep": (3600, imports_staged.sweep),
    "users.sweep_sessions": (3600, sweep_sessions),
    "audit.purge": (3600, purge_audit),
    "todos.count_open": (900, todos_lists.count_open),
    "system.check_database": (86_400, health.check_database),
}
TITLES = {
    "attachments.sweep_unsaved": "Delete files whose form was never saved",
    "jobs.purge": "Delete old jobs",
    "trash.purge": "Empty the trash of what is too old",
    "undo.sweep": "Forget what can no longer be undone",
    "idempotency.sweep": "Forget old answers to programs",
    "imports.sweep": "Forget rows of imports that ended",
    "users.greet": "Tell people what is due",
    "users.sweep_sessions": "Forget sessions that ended",
    "audit.purge": "Delete old entries of the audit trail",
    "todos.count_open": "Count open todos",
    "system.check_database": "Check the database",
}


def _as_job(function: Callable[[], Any]) -> Callable[[Run], dict[str, Any]]:
    """Return a line of the schedule as the function of a job."""
    return lambda run: {"value": function()}


for _name, (_seconds, _function) in SCHEDULE.items():
    job(_name, title=TITLES[_name], permission=None, told=False)(_as_job(_function))


def start(name: str) -> Job | None:
    """Start a line of the schedule now, whatever its turn; None if it runs already."""
    return _start(name, utcnow())


def next_turn(name: str) -> datetime:
    """Return when a line starts next."""
    every, _ = SCHEDULE[name]
    return jobs_slots.slot_of(every) + timedelta(seconds=every)


def _start(name: str, slot_at: datetime) -> Job | None:
    """Start one turn."""
    spec = REGISTRY[name]
    facts = {"queue": spec.queue_of({}), "max_attempts": spec.attempts, "time_limit": spec.time_limit}
    row = jobs_slots.start(name, slot_at, **facts)
    if row is not None:
        send(row)
    return row


def tick() -> int:
    """Sweep, and start what is due; return how many messages were sent again."""
    sent = sweep()
    for name, slot_at in jobs_slots.missing((n, jobs_slots.slot_of(every)) for n, (every, _) in SCHEDULE.items()):
        _start(name, slot_at)
    return sent


# the one thing that the scheduler knows; all else stands in rows
BEAT: broker.Schedule = {"jobs.sweep": (15, tick)}
