"""Rows of a file on their way to the todos."""

from datetime import date, datetime

from flask_appbuilder import Model
from sqlalchemy import JSON, Date, ForeignKey, Integer, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import UtcDateTime


class ImportRow(Model):
    """A row that is good, kept until its import writes it: as the todo that it will be. A backup leaves it out."""

    __tablename__ = "import_rows"
    __table_args__ = ({"info": {"transient": True}},)

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(64), nullable=False)
    # the todo that is there already, and what the file says of it
    todo_id: Mapped[int | None] = mapped_column(Integer)
    given: Mapped[list[str]] = mapped_column(JSON, nullable=False)
    title: Mapped[str] = mapped_column(String(200), nullable=False)
    notes: Mapped[str] = mapped_column(Text, nullable=False)
    priority: Mapped[int] = mapped_column(SmallInteger, nullable=False)
    due_on: Mapped[date | None] = mapped_column(Date)
    complete: Mapped[bool] = mapped_column(nullable=False)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    owner_id: Mapped[int] = mapped_column(Integer, nullable=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    assignees: Mapped[list[int]] = mapped_column(JSON, nullable=False)  # ids
    tag_names: Mapped[list[str]] = mapped_column(JSON, nullable=False)
    tag_keys: Mapped[list[str]] = mapped_column(JSON, nullable=False)
    trail: Mapped[str] = mapped_column(Text, nullable=False)  # what the audit trail will say, but for tags: JSON
