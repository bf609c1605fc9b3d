"""Whether the site is closed for maintenance: one row while it is, none otherwise."""

from datetime import datetime

from flask_appbuilder import Model
from sqlalchemy import CheckConstraint, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import UtcDateTime, utcnow

RETRY_SECONDS = 300


class Maintenance(Model):
    """The sign on the door. A backup leaves it out: a restored site would be closed."""

    __tablename__ = "maintenance"
    __table_args__ = (CheckConstraint("id = 1", name="ck_maintenance_one_row"), {"info": {"transient": True}})

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False, default=1)
    since: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, default=utcnow)
    reason: Mapped[str] = mapped_column(String(200), nullable=False, default="")
    retry_seconds: Mapped[int] = mapped_column(Integer, nullable=False, default=RETRY_SECONDS)
