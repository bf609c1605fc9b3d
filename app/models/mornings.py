"""Whose morning mail of which day was taken in hand."""

from datetime import date, datetime

from flask_appbuilder import Model
from sqlalchemy import Date, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.db import UtcDateTime, utcnow


class MorningMail(Model):
    """The mail of one person and day; its row is there before the mail leaves, so that no second one ever does."""

    __tablename__ = "morning_mails"

    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, default=utcnow, index=True)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
