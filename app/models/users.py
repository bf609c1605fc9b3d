"""The user: Flask-AppBuilder's, extended in place.

A subclass would share its table and identity map with FAB's own class, and whichever class loaded a row first
would win. So the columns are added to FAB's class itself.
"""

import secrets
from datetime import datetime

from flask_appbuilder import Model
from flask_appbuilder.security.sqla.models import User
from sqlalchemy import Boolean, String, false
from sqlalchemy.orm import Mapped, mapped_column

from app.db import UtcDateTime

LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}  # of mails
MAILS = ("digest", "due", "none")  # each morning; only when something is due; never


def new_stamp() -> str:
    """Return a random session stamp; a session that carries another one has ended."""
    return secrets.token_hex(16)


def session_id(self: User) -> str:
    """Return what the session cookie remembers: a new stamp makes it worthless."""
    return f"{self.id}:{self.session_stamp}"


User.get_id = session_id
User.time_zone = mapped_column(String(64), nullable=False, default="UTC")
# chosen, or guessed from the browser; until then UTC stands for "not known"
User.time_zone_known = mapped_column(Boolean, nullable=False, default=False, server_default=false())
User.language = mapped_column(String(8), nullable=False, default="en")
User.session_stamp = mapped_column(String(32), nullable=False, default=new_stamp)
User.mail = mapped_column(String(8), nullable=False, default="digest", server_default="digest")  # of MAILS
User.locked_until = mapped_column(UtcDateTime, nullable=True)


class EndedSession(Model):
    """A session that was logged out; its signed cookie would be good for hours otherwise."""

    __tablename__ = "ended_sessions"

    session_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, index=True)


__all__ = ["LANGUAGES", "MAILS", "EndedSession", "User", "new_stamp"]
