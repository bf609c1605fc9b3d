"""What is new in the trail."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.extensions import db
from app.models import AuditEntry


@pytest.fixture
def since(cast) -> Callable[..., list[AuditEntry]]:
    """Returns a function that returns the entries which are newer than its last call."""
    seen = [0]

    def newer(**columns) -> list[AuditEntry]:
        db.session.rollback()
        statement = select(AuditEntry).filter_by(**columns).where(AuditEntry.id > seen[0]).order_by(AuditEntry.id)
        found = list(db.session.scalars(statement))
        seen[0] = db.session.scalar(select(AuditEntry.id).order_by(AuditEntry.id.desc()).limit(1)) or 0
        return found

    newer()
    return newer
