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
ACTIVE, FINAL = STATUSES[:2], STATUSES[2:]
AGAIN = text("again_of_id IS NOT NULL")
QUEUES = ("interactive", "bulk")  # a worker empties the first before it looks into the next


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
        # the parts of a job, planned once
        Index("uq_jobs_parts", "parent_id", "part", unique=True),
        # what repeats a failed one
        Index("ix_jobs_by_repeated", "again_of_id", sqlite_where=AGAIN, postgresql_where=AGAIN),
        # the purge, and how many ended in the last day
        Index("ix_jobs_by_end", "finished_at"),
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
    queue: Mapped[str] = mapped_column(String(16), nullable=False, default=QUEUES[0], server_default=QUEUES[0])
    # a part's job and number; of a split job, how many parts it has. Without foreign keys here and in again_of_id:
    # SQLite cannot add them to a table without copying it, and only the purge deletes jobs
    parent_id: Mapped[int | None] = mapped_column(Integer)
    part: Mapped[int | None] = mapped_column(Integer)
    parts_total: Mapped[int | None] = mapped_column(Integer)
    # the ended job that this one repeats
    again_of_id: Mapped[int | None] = mapped_column(Integer)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # attempts that do not count: handed back by a worker that was told to end, or spent on planning
    excused: Mapped[int] = mapped_column(Integer, nullable=False, default=0, server_default="0")
    max_attempts: Mapped[int] = mapped_column(Integer, nullable=False, default=3, server_default="3")
    time_limit: Mapped[int | None] = mapped_column(Integer)  # seconds
    worker: Mapped[str | None] = mapped_column(String(128))
    pid: Mapped[int | None] = mapped_column(Integer)

    owner: Mapped[User | None] = relationship(User)
    attachments: Mapped[list[Attachment]] = relationship(Attachment, passive_deletes=True, order_by=Attachment.id)

    @property
    def is_final(self) -> bool:
        """Tell whether the job has ended."""
        return self.status in FINAL

    @property
    def attempts_left(self) -> int:
        """Return how often it may still be begun."""
        return self.max_attempts - (self.attempt - self.excused)

    def __repr__(self) -> str:
        return f"{self.name} {self.id}"


class JobWorker(Model):
    """A worker as it was last seen, so that nobody has to ask Redis."""

    __tablename__ = "job_workers"
    __table_args__ = ({"info": {"transient": True}},)  # not in a backup

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    queues: Mapped[str] = mapped_column(String(255), nullable=False)
    processes: Mapped[int] = mapped_column(Integer, nullable=False)
    busy: Mapped[list[dict[str, Any]]] = mapped_column(JSON, nullable=False)  # job_id, name, since (ISO 8601)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class JobSlot(Model):
    """One turn of a line of the schedule; its key is what makes two schedulers start one job."""

    __tablename__ = "job_slots"
    __table_args__ = (
        # what deletes a job looks for the slots that point at it
        Index("ix_job_slots_by_job", "job_id"),
    )

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    slot_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
