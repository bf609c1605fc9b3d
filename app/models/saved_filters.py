"""A list of todos that somebody wants to find again: the end of its address, under a name."""

from flask_appbuilder import Model
from sqlalchemy import ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Timestamps


class SavedFilter(Timestamps, Model):
    """One person's own; whoever is sent its address sees their own todos by it."""

    __tablename__ = "saved_filters"
    __table_args__ = (
        # one person's, by name
        Index("uq_saved_filters_name", "owner_id", "name", unique=True),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), nullable=False)
    name: Mapped[str] = mapped_column(String(50), nullable=False)
    query: Mapped[str] = mapped_column(String(1000), nullable=False)

    def __repr__(self) -> str:
        return self.name
