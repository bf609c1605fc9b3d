"""What runs by the clock: each turn is a job of the system, which may run early, late or twice without harm."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flask import current_app

from app.services import (
    attachments,
    audit_purge,
    comments,
    health,
    idempotency,
    imports_staged,
    jobs_sweep,
    todos_lists,
    trash_purge,
    undo,
    users_accounts,
)
from app.tasks import users
from app.tasks.declare import Run, job

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


class Line(NamedTuple):
    """What runs every so many seconds, and what people call it."""

    seconds: int
    function: Callable[[], Any]
    title: str


SCHEDULE: Mapping[str, Line] = {
    "attachments.sweep_unsaved": Line(3600, sweep_unsaved, "Delete files whose form was never saved"),
    "jobs.purge": Line(3600, purge_jobs, "Delete old jobs"),
    "trash.purge": Line(3600, purge_trash, "Empty the trash of what is too old"),
    "undo.sweep": Line(3600, undo.sweep, "Forget what can no longer be undone"),
    "users.greet": Line(900, users.greet, "Tell people what is due"),
    "idempotency.sweep": Line(3600, idempotency.sweep, "Forget old answers to programs"),
    "imports.sweep": Line(3600, imports_staged.sweep, "Forget rows of imports that ended"),
    "users.sweep_sessions": Line(3600, sweep_sessions, "Forget sessions that ended"),
    "audit.purge": Line(3600, purge_audit, "Delete old entries of the audit trail"),
    "todos.count_open": Line(900, todos_lists.count_open, "Count open todos"),
    "system.check_database": Line(86_400, health.check_database, "Check the database"),
}


def _as_job(function: Callable[[], Any]) -> Callable[[Run], dict[str, Any]]:
    """Return a line of the schedule as the function of a job."""
    return lambda run: {"value": function()}


for _name, _line in SCHEDULE.items():
    job(_name, title=_line.title, permission=None, told=False)(_as_job(_line.function))
