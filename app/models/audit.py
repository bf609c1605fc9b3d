"""What was done, by whom, from where: a table that only grows."""

from datetime import datetime
from typing import Any

from flask_appbuilder import Model
from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import UtcDateTime, utcnow

KINDS = ("data", "security", "job")


class AuditEntry(Model):
    """One thing that was done to one row, or one event of security or of a job.

    No foreign keys: an entry outlives what it is about. Triggers refuse UPDATE and DELETE.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="ck_audit_entries_kind"),
        CheckConstraint("id > 0", name="ck_audit_entries_id"),
        # the history of a todo, and its values as of a version
        Index("ix_audit_entries_by_todo", "todo_id", "id"),
        # the filters of the admin's list
        Index("ix_audit_entries_by_row", "entity", "row_id", "id"),
        Index("ix_audit_entries_by_actor", "actor_id", "id"),
        Index("ix_audit_entries_by_action", "action", "id"),
        # what is too old to be kept
        Index("ix_audit_entries_by_at", "at"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, default=utcnow)
    kind: Mapped[str] = mapped_column(String(16), nullable=False)
    action: Mapped[str] = mapped_column(String(32), nullable=False)
    # who: a person by id, whose name stands in audit_people, or a program by name
    actor_id: Mapped[int | None] = mapped_column(Integer)
    program: Mapped[str | None] = mapped_column(String(64))
    # what it was done to
    entity: Mapped[str | None] = mapped_column(String(32))
    row_id: Mapped[int | None] = mapped_column(Integer)
    label: Mapped[str | None] = mapped_column(String(255))
    todo_id: Mapped[int | None] = mapped_column(Integer)
    version: Mapped[int | None] = mapped_column(Integer)
    # field -> [before, after], for collections [[removed], [added]], null where the values are nobody's business
    changes: Mapped[dict[str, Any]] = mapped_column(JSON, nullable=False, default=dict)
    # through which request or job, from where
    request_id: Mapped[str | None] = mapped_column(String(64))
    job_id: Mapped[int | None] = mapped_column(Integer)
    address: Mapped[str | None] = mapped_column(String(45))

    def __repr__(self) -> str:
        return f"{self.action} {self.entity or ''} {self.row_id or ''}".strip()


class AuditPerson(Model):
    """The name of somebody who did or suffered something, kept when the user is gone, replaced when anonymised."""

    __tablename__ = "audit_people"

    user_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(300), nullable=False)

    def __repr__(self) -> str:
        return self.name


class AuditPurge(Model):
    """Opens the audit trail to the deletion of entries before an instant, for one transaction.

    The foreign key is checked at commit and never holds, so no commit leaves the trail open.
    """

    __tablename__ = "audit_purges"
    __table_args__ = (CheckConstraint("never = 0", name="ck_audit_purges_never"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    before: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    never: Mapped[int] = mapped_column(
        ForeignKey("audit_entries.id", deferrable=True, initially="DEFERRED"), nullable=False, default=0
    )
