"""What people say about a todo, and whom they mention."""

from datetime import datetime

from flask_appbuilder import Model
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import UtcDateTime, utcnow
from app.models.todos import Todo
from app.models.users import User

LONGEST_COMMENT = 5000  # characters

comment_mentions = Table(
    "comment_mentions",
    Model.metadata,
    Column("comment_id", Integer, ForeignKey("comments.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Integer, ForeignKey("ab_user.id", ondelete="CASCADE"), primary_key=True),
    # where a person is mentioned
    Index("ix_comment_mentions_by_user", "user_id", "comment_id"),
)


class Comment(Model):
    """A few sentences about a todo; deleted ones are hidden until they are purged."""

    __tablename__ = "comments"
    __table_args__ = (
        CheckConstraint("length(trim(body)) > 0", name="ck_comments_body"),
        # the page of a todo
        Index("ix_comments_by_todo", "todo_id", "id"),
        # the trash
        Index("ix_comments_by_deletion", "deleted_at"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    todo_id: Mapped[int] = mapped_column(ForeignKey("todos.id", ondelete="CASCADE"), nullable=False)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id", ondelete="SET NULL"))
    body: Mapped[str] = mapped_column(Text, nullable=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, default=utcnow)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, nullable=False, default=1)

    todo: Mapped[Todo] = relationship(Todo)
    author: Mapped[User | None] = relationship(User)
    mentions: Mapped[list[User]] = relationship(User, secondary=comment_mentions, order_by=User.username)

    # an update of a row that was changed meanwhile, in another tab, fails instead of overwriting it
    __mapper_args__ = {"version_id_col": version}

    def __repr__(self) -> str:
        return self.body[:60]
