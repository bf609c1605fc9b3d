"""The API key: what a program shows instead of a password."""

from datetime import datetime

from flask_appbuilder import Model
from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import UtcDateTime, utcnow

SCOPES = ("read", "write", "admin")


class ApiKey(Model):
    """A key of one user; the secret itself is not stored."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint(f"scope IN {SCOPES}", name="ck_api_keys_scope"),
        # one person's keys
        Index("ix_api_keys_by_user", "user_id", "id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), nullable=False)
    name: Mapped[str] = mapped_column(String(64), nullable=False)
    prefix: Mapped[str] = mapped_column(String(16), nullable=False)
    # SHA-256 suffices: the secret is random, so there is nothing to guess that a slow hash would protect
    digest: Mapped[str] = mapped_column(String(64), nullable=False, unique=True)
    scope: Mapped[str] = mapped_column(String(8), nullable=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def is_expired(self) -> bool:
        """Tell whether the key's time is over."""
        return self.expires_at <= utcnow()

    def __repr__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
