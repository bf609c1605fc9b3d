"""The job: what was asked for, how far it is, how it ended."""

from datetime import datetime
from typing import Any

from flask_appbuilder import Model
from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import UtcDateTime, utcnow
from app.models.attachments import Attachment
from app.models.users import User

STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")
FINAL = STATUSES[2:]


class Job(Model):
    """Work done by a worker, remembered whatever happens to the worker or to Redis."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="ck_jobs_status"),
        # an active job with the same key is returned instead of a second one
        Index(
            "uq_jobs_active_key",
            "idempotency_key",
            unique=True,
            sqlite_where=text("status IN ('queued', 'running')"),
            postgresql_where=text("status IN ('queued', 'running')"),
        ),
        # the sweeper's search for unsent and abandoned jobs
        Index("ix_jobs_by_status", "status", "lease_expires_at"),
        # one person's jobs, newest first
        Index("ix_jobs_by_owner", "owner_id", "id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), nullable=False)
    args: Mapped[dict[str, Any]] = mapped_column(JSON, nullable=False, default=dict)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(String(16), nullable=False, default="queued")
    idempotency_key: Mapped[str | None] = mapped_column(String(128))
    attempt: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    progress_done: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    progress_total: Mapped[int | None] = mapped_column(Integer)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, default=utcnow)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    owner: Mapped[User | None] = relationship(User)
    attachments: Mapped[list[Attachment]] = relationship(Attachment, passive_deletes=True, order_by=Attachment.id)

    @property
    def is_final(self) -> bool:
        """Tell whether the job has ended."""
        return self.status in FINAL

    def __repr__(self) -> str:
        return f"{self.name} {self.id}"
