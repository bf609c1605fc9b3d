"""What people are told: that something was assigned to them, mentioned them, is due or is done."""

from datetime import datetime

from flask_appbuilder import Model
from sqlalchemy import ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import UtcDateTime, utcnow
from app.models.jobs import Job
from app.models.todos import Todo

KINDS = ("assigned", "mentioned", "due", "job")


class Notification(Model):
    """One line for one person; its text is made of the row that it is about when it is read."""

    __tablename__ = "notifications"
    __table_args__ = (
        # one person's, newest first
        Index("ix_notifications_by_user", "user_id", "id"),
        # how many of one person's are unread
        Index("ix_notifications_unread", "user_id", "read_at"),
        # the same thing is told once; NULLs differ from each other
        Index("uq_notifications_key", "user_id", "key", unique=True),
        Index("ix_notifications_by_todo", "todo_id"),
        Index("ix_notifications_by_job", "job_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), nullable=False)
    kind: Mapped[str] = mapped_column(String(16), nullable=False)
    key: Mapped[str | None] = mapped_column(String(80))
    actor: Mapped[str] = mapped_column(String(130), nullable=False, default="")
    todo_id: Mapped[int | None] = mapped_column(ForeignKey("todos.id", ondelete="CASCADE"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, default=utcnow)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    todo: Mapped[Todo | None] = relationship(Todo)
    job: Mapped[Job | None] = relationship(Job)
