"""How long the audit trail is kept: the one door through which the database lets entries go."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from app.db import transaction, utcnow
from app.models.audit import AuditEntry, AuditPurge
from app.services import audit

PURGE_SIZE = 5000


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
                changes = {"entries": [count, 0], "before": [None, limit.isoformat()]}
                audit.note("purged", kind="security", changes=changes)
    return count
