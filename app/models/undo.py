"""What an action on several todos changed, so that one click takes it back."""

from datetime import date, datetime

from flask_appbuilder import Model
from sqlalchemy import Date, ForeignKey, ForeignKeyConstraint, Index, Integer, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import UtcDateTime, utcnow


class UndoStep(Model):
    """One action of one person."""

    __tablename__ = "undo_steps"
    __table_args__ = (
        # steps that are too old, to be swept
        Index("ix_undo_steps_by_age", "created_at"),
        # what takes a job's work back
        Index("ix_undo_steps_by_job", "job_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), nullable=False)
    action: Mapped[str] = mapped_column(String(16), nullable=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, default=utcnow)
    # the job that does it in batches; without a foreign key, since SQLite cannot add one, and a step lives a day only
    job_id: Mapped[int | None] = mapped_column(Integer)


class UndoRow(Model):
    """A todo as it was before the action, and the version that the action gave it."""

    __tablename__ = "undo_rows"
    __table_args__ = (
        # what goes with a todo that is deleted for ever
        Index("ix_undo_rows_by_todo", "todo_id"),
    )

    step_id: Mapped[int] = mapped_column(ForeignKey("undo_steps.id", ondelete="CASCADE"), primary_key=True)
    todo_id: Mapped[int] = mapped_column(ForeignKey("todos.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    owner_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), nullable=False)
    priority: Mapped[int] = mapped_column(SmallInteger, nullable=False)
    due_on: Mapped[date | None] = mapped_column(Date)
    complete: Mapped[bool] = mapped_column(nullable=False)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id", ondelete="SET NULL"))
    # only of what an import changed: nothing else changes texts of many todos
    title: Mapped[str | None] = mapped_column(String(200))
    notes: Mapped[str | None] = mapped_column(Text)


class UndoAssignee(Model):
    """Somebody who was assigned to a todo before the action."""

    __tablename__ = "undo_assignees"
    __table_args__ = (
        ForeignKeyConstraint(["step_id", "todo_id"], ["undo_rows.step_id", "undo_rows.todo_id"], ondelete="CASCADE"),
    )

    step_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    todo_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), primary_key=True)


class UndoTag(Model):
    """A tag that a todo had before the action."""

    __tablename__ = "undo_tags"
    __table_args__ = (
        ForeignKeyConstraint(["step_id", "todo_id"], ["undo_rows.step_id", "undo_rows.todo_id"], ondelete="CASCADE"),
    )

    step_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    todo_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
