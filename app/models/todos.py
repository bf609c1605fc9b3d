"""The todo and who works on it."""

from datetime import date, datetime
from typing import TYPE_CHECKING

from flask_appbuilder import Model
from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    Date,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from app.db import Timestamps, UtcDateTime, utcnow
from app.models.tags import Tag, todo_tags
from app.models.users import User

if TYPE_CHECKING:
    from app.models.attachments import Attachment

PRIORITIES = ("urgent", "high", "normal", "low")  # 0-3, so that ascending order shows the urgent first
NORMAL = 2
IN_TRASH = text("deleted_at IS NOT NULL")
IMPORTED = text("import_key IS NOT NULL")

todo_assignees = Table(
    "todo_assignees",
    Model.metadata,
    Column("todo_id", Integer, ForeignKey("todos.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Integer, ForeignKey("ab_user.id", ondelete="CASCADE"), primary_key=True),
    # the todos that a person is assigned to
    Index("ix_todo_assignees_by_user", "user_id", "todo_id"),
)


class Todo(Timestamps, Model):
    """Something to be done, by its owner and those assigned to it."""

    __tablename__ = "todos"
    __table_args__ = (
        CheckConstraint("length(trim(title)) > 0", name="ck_todos_title"),
        CheckConstraint("priority BETWEEN 0 AND 3", name="ck_todos_priority"),
        CheckConstraint("complete = (completed_at IS NOT NULL)", name="ck_todos_completed_at"),
        # the list of everybody's open todos
        Index("ix_todos_by_due", "complete", "due_sort", "priority", "id"),
        # the list of everybody's finished todos
        Index("ix_todos_by_completion", "complete", "completed_at", "id"),
        # one owner's todos
        Index("ix_todos_by_owner", "owner_id", "complete", "due_sort", "priority", "id"),
        # the generated list, sorted by a column
        Index("ix_todos_by_title", "title", "id"),
        # the trash, and what is to be purged
        Index("ix_todos_in_trash", "deleted_at", "id", sqlite_where=IN_TRASH, postgresql_where=IN_TRASH),
        # a row of an imported file, which is added once
        Index("uq_todos_import_key", "import_key", unique=True, sqlite_where=IMPORTED, postgresql_where=IMPORTED),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column(String(200), nullable=False)
    notes: Mapped[str] = mapped_column(Text, nullable=False, default="")
    priority: Mapped[int] = mapped_column(SmallInteger, nullable=False, default=NORMAL)
    due_on: Mapped[date | None] = mapped_column(Date)
    # never NULL, so that one index serves the order and the page after a given row on both databases
    due_sort: Mapped[date] = mapped_column(Date, Computed("coalesce(due_on, '9999-12-31')", persisted=True))
    complete: Mapped[bool] = mapped_column(nullable=False, default=False)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id", ondelete="SET NULL"))
    owner_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="RESTRICT"), nullable=False)
    version: Mapped[int] = mapped_column(Integer, nullable=False, default=1)
    import_key: Mapped[str | None] = mapped_column(String(64))  # of whoever imported it and of the row it comes from

    owner: Mapped[User] = relationship(User, foreign_keys=[owner_id])
    deleted_by: Mapped[User | None] = relationship(User, foreign_keys=[deleted_by_id])
    assignees: Mapped[list[User]] = relationship(User, secondary=todo_assignees, order_by=User.username)
    tags: Mapped[list[Tag]] = relationship(Tag, secondary=todo_tags, order_by=Tag.key)
    attachments: Mapped[list["Attachment"]] = relationship(
        "Attachment",
        back_populates="todo",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="Attachment.id",
    )

    # an update of a row that somebody else changed meanwhile fails instead of overwriting it
    __mapper_args__ = {"version_id_col": version}

    @validates("complete")
    def _stamp_completion(self, _key: str, complete: bool) -> bool:
        """Keep the instant of completion true, through whichever form it was ticked."""
        if bool(complete) != bool(self.complete):
            self.completed_at = utcnow() if complete else None
        return bool(complete)

    @property
    def priority_name(self) -> str:
        """Return the word for the priority."""
        return PRIORITIES[self.priority]

    @property
    def owner_username(self) -> str:
        """Return the owner's username, for programs."""
        return str(self.owner.username)

    @property
    def assignee_usernames(self) -> list[str]:
        """Return the assignees' usernames, for programs."""
        return [user.username for user in self.assignees]

    @property
    def tag_names(self) -> list[str]:
        """Return the names of the tags, for forms and programs."""
        return [tag.name for tag in self.tags]

    def __repr__(self) -> str:
        return self.title
