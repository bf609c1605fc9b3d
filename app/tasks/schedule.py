"""What runs by the clock; every line may run early, late or twice without harm."""

from flask import current_app

from app.services import attachments, audit, comments, trash, undo, users_accounts
from app.tasks import broker, runner, users

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
    return trash.purge_expired(days) + comments.purge_deleted(days)


def purge_audit() -> int:
    """Delete the entries of the audit trail that are too old to be kept."""
    return audit.purge(current_app.config["AUDIT_DAYS"])


SCHEDULE: broker.Schedule = {
    # name: (every so many seconds, what)
    "jobs.sweep": (15, runner.sweep),
    "attachments.sweep_unsaved": (3600, sweep_unsaved),
    "trash.purge": (3600, purge_trash),
    "undo.sweep": (3600, undo.sweep),
    "users.greet": (900, users.greet),
    "users.sweep_sessions": (3600, sweep_sessions),
    "audit.purge": (3600, purge_audit),
}
