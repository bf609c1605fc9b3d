"""Files: the facts in one table, the bytes in chunks in another."""

from datetime import datetime
from typing import TYPE_CHECKING

from flask_appbuilder import Model
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import UtcDateTime, utcnow

if TYPE_CHECKING:
    from app.models.todos import Todo

CHUNK_SIZE = 256 * 1024  # bytes
ORIGINAL, THUMBNAIL, PREVIEW = 0, 1, 2


class Attachment(Model):
    """The facts about a file of a todo or of a job.

    A file that was sent with a form which is not saved yet has neither; only its uploader sees it.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        CheckConstraint("todo_id IS NULL OR job_id IS NULL", name="ck_attachments_one_parent"),
        CheckConstraint("size >= 0", name="ck_attachments_size"),
        # the files of the todos of a page
        Index("ix_attachments_by_todo", "todo_id", "id"),
        # the result of a job
        Index("ix_attachments_by_job", "job_id"),
        # uploads that were never saved, to be swept
        Index("ix_attachments_by_uploader", "uploaded_by_id", "created_at"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    todo_id: Mapped[int | None] = mapped_column(ForeignKey("todos.id", ondelete="CASCADE"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    uploaded_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(255), nullable=False)
    content_type: Mapped[str] = mapped_column(String(100), nullable=False)
    size: Mapped[int] = mapped_column(BigInteger, nullable=False)
    sha256: Mapped[str] = mapped_column(String(64), nullable=False)
    thumbnail_size: Mapped[int | None] = mapped_column(Integer)
    preview_size: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, default=utcnow)

    todo: Mapped["Todo | None"] = relationship("Todo", back_populates="attachments")

    @property
    def is_image(self) -> bool:
        """Tell whether the content is an image that browsers show."""
        return self.content_type.startswith("image/")

    def size_of(self, variant: int) -> int:
        """Return the bytes of the file or of one of its pictures, 0 if that was not drawn."""
        return {ORIGINAL: self.size, THUMBNAIL: self.thumbnail_size, PREVIEW: self.preview_size}[variant] or 0

    def __repr__(self) -> str:
        return self.name


class AttachmentChunk(Model):
    """At most 256 KiB of a file or of one of its pictures, so that nothing ever holds a whole file in memory."""

    __tablename__ = "attachment_chunks"

    attachment_id: Mapped[int] = mapped_column(ForeignKey("attachments.id", ondelete="CASCADE"), primary_key=True)
    variant: Mapped[int] = mapped_column(SmallInteger, primary_key=True, default=ORIGINAL)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary, nullable=False)
