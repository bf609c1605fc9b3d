"""The audit trail: what was done, by whom, and what a todo was before."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from app.extensions import db
from app.models.audit import AuditEntry
from app.models.todos import Todo
from app.services import audit_write
from app.services.audit_rules import AUDITED
from app.services.audit_write import Origin, acting, of_new, origin

__all__ = ["Origin", "acting", "as_of", "note", "of_new", "origin", "write", "write_new"]


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
