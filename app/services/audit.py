"""The audit trail: what was done, by whom; who reads it, and how long it is kept."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from app.db import transaction, utcnow
from app.extensions import db
from app.models.audit import AuditEntry, AuditPurge
from app.models.todos import Todo
from app.services import audit_write
from app.services.audit_rules import AUDITED
from app.services.audit_write import Origin, acting, of_new, origin

__all__ = ["Origin", "acting", "as_of", "note", "of_new", "open_for_purge", "origin", "purge", "write", "write_new"]

PURGE_SIZE = 5000


def note(action: str, **columns: Any) -> None:
    """Write down an event of security that no changed row tells of, with the present transaction."""
    audit_write.note(db.session(), action, **columns)


def write() -> None:
    """Write the entries of the present transaction now: a long one would keep them all in memory until its end."""
    audit_write.write(db.session())


def write_new(table: str, rows: Any) -> None:
    """See `audit_write.write_new`, with the present transaction."""
    audit_write.write_new(db.session(), table, rows)


def as_of(todo: Todo, version: int) -> dict[str, Any]:
    """Return the audited values that a todo had at a version, from those it has now and what changed since.

    Returns:
        The columns of `AUDITED["todos"].fields`; `assignees` and `tags` as sets of ids.
    """
    values: dict[str, Any] = {name: getattr(todo, name) for name in AUDITED["todos"].fields}
    values |= {"assignees": {user.id for user in todo.assignees}, "tags": {tag.id for tag in todo.tags}}
    later = select(AuditEntry).where(
        AuditEntry.todo_id == todo.id, AuditEntry.entity == "todo", AuditEntry.version > version
    )
    for entry in db.session.scalars(later.order_by(AuditEntry.id.desc())):
        for name, (before, after) in entry.changes.items():
            if name in ("assignees", "tags"):
                values[name] = values[name] - set(after) | set(before)
            elif name in values:
                values[name] = _typed(name, before)
    return values


def _typed(name: str, value: Any) -> Any:
    """Read a value back from JSON."""
    if isinstance(value, str) and name.endswith("_on"):
        return date.fromisoformat(value)
    return datetime.fromisoformat(value) if isinstance(value, str) and name.endswith("_at") else value


def open_for_purge(session: Any, before: datetime) -> AuditPurge:
    """Let the present transaction delete the entries before an instant; it has to delete what this returns too."""
    gate = AuditPurge(before=before)
    session.add(gate)
    session.flush()
    return gate


def purge(older_than_days: int) -> int:
    """Delete the entries that are too old to be kept, some thousands at a time, and return how many there were."""
    limit, count, more = utcnow() - timedelta(days=older_than_days), 0, True
    old = select(AuditEntry.id).where(AuditEntry.at < limit).order_by(AuditEntry.id).limit(PURGE_SIZE)
    while more:
        with transaction() as session:
            gate = open_for_purge(session, limit)
            gone = session.execute(delete(AuditEntry).where(AuditEntry.id.in_(old)))
            session.delete(gate)
            more = gone.rowcount == PURGE_SIZE  # type: ignore[attr-defined]
            count += gone.rowcount  # type: ignore[attr-defined]
            if count and not more:
                note("purged", kind="security", changes={"entries": [count, 0], "before": [None, limit.isoformat()]})
    return count
