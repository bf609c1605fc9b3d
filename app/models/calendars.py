"""The calendar feed: whether somebody has one, and what makes its address secret."""

import secrets
from datetime import datetime

from flask_appbuilder import Model
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import UtcDateTime, utcnow


def new_nonce() -> str:
    """Return a random text; an address that was made of another one is dead."""
    return secrets.token_urlsafe(24)


class CalendarFeed(Model):
    """The feed of one user; its address is the nonce, signed with the site's key: the row alone opens nothing."""

    __tablename__ = "calendar_feeds"

    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(64), nullable=False, default=new_nonce)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, default=utcnow)
