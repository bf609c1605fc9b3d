"""Closing the site for a while: visitors get a page that says so, and jobs wait."""

import time
from contextlib import suppress
from dataclasses import dataclass

from flask import current_app
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from app.db import lone_engine, transaction
from app.errors import Unavailable
from app.extensions import db
from app.models.maintenance import RETRY_SECONDS, Maintenance
from app.services import audit

LOOK_SECONDS = 2  # for which a process believes what it read


class Closed(Unavailable):
    """The site is closed for maintenance (503)."""

    def __init__(self, sign: Maintenance) -> None:
        super().__init__(sign.reason or "The site is closed for maintenance. Nothing is lost; try again in a while.")
        self._retry = sign.retry_seconds

    @property
    def headers(self) -> dict[str, str]:
        """Say when to come back."""
        return {"Retry-After": str(self._retry)}


@dataclass
class Seen:
    """What a process has last read of the sign."""

    until: float = 0
    sign: Maintenance | None = None


def on(reason: str = "", retry_seconds: int = RETRY_SECONDS) -> None:
    """Close the site; all processes notice within two seconds."""
    with transaction() as session:
        session.merge(Maintenance(id=1, reason=reason, retry_seconds=retry_seconds))
        audit.note("closed", changes={"reason": [None, reason]})


def off() -> bool:
    """Open the site again; return whether it was closed."""
    with transaction() as session:
        was_closed = bool(session.execute(delete(Maintenance)).rowcount)  # type: ignore[attr-defined]
        if was_closed:
            audit.note("opened")
    return was_closed


def sign() -> Maintenance | None:
    """Return the sign on the door as it is now."""
    return db.session.scalar(select(Maintenance).execution_options(populate_existing=True))


def current() -> Maintenance | None:
    """Return the sign as this process saw it at most two seconds ago; without a database what it saw last."""
    seen: Seen = current_app.extensions.setdefault("maintenance", Seen())
    if time.monotonic() >= seen.until:
        seen.until = time.monotonic() + LOOK_SECONDS
        with suppress(SQLAlchemyError):  # not migrated yet, or away: whoever needs the database will say so
            seen.sign = _look()
    return seen.sign


def _look() -> Maintenance | None:
    """Read the sign by a connection of its own: the request's may be in a transaction, or have none left."""
    with lone_engine().connect() as connection:
        row = connection.execute(select(Maintenance.__table__)).mappings().first()
    return Maintenance(**row) if row else None
