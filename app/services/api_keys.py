"""API keys, made and revoked by their users."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, select

from app.db import transaction, utcnow
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models.api_keys import ApiKey
from app.models.users import User

PREFIX = "todos_"  # lets scanners of source code recognise a key that leaked
SHOWN = len(PREFIX) + 6
MOST_KEYS = 20


def digest_of(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def live() -> ColumnElement[bool]:
    """Select the keys that are neither revoked nor expired."""
    return and_(ApiKey.revoked_at.is_(None), ApiKey.expires_at > utcnow())


def of_user(viewer: User) -> Sequence[ApiKey]:
    """Return the viewer's keys that are not revoked, newest first."""
    statement = select(ApiKey).where(ApiKey.user_id == viewer.id, ApiKey.revoked_at.is_(None))
    return db.session.scalars(statement.order_by(ApiKey.id.desc())).all()


def create(viewer: User, name: str, scope: str, days: int) -> tuple[ApiKey, str]:
    """Add a key that works for so many days.

    Returns:
        The key, and the secret, which nobody can find out again.

    Raises:
        Conflict: when the viewer has as many keys as one may have.
    """
    if len(of_user(viewer)) >= MOST_KEYS:
        raise Conflict(f"You have {MOST_KEYS} keys. Revoke one that you no longer use.")
    secret = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(user_id=viewer.id, name=name, scope=scope, prefix=secret[:SHOWN], digest=digest_of(secret))
    key.expires_at = utcnow() + timedelta(days=days)
    with transaction() as session:
        session.add(key)
    return key, secret


def revoke(viewer: User, key_id: int) -> ApiKey:
    """End one of the viewer's keys for good.

    Raises:
        NotFound: when there is none.
    """
    mine = and_(ApiKey.id == key_id, ApiKey.user_id == viewer.id, ApiKey.revoked_at.is_(None))
    key = db.session.scalar(select(ApiKey).where(mine))
    if key is None:
        raise NotFound("There is no such key. It may have been revoked already.")
    with transaction():
        key.revoked_at = utcnow()
    return key


def revoke_all(user: User) -> None:
    """End all keys of somebody who leaves, within the present transaction."""
    for key in of_user(user):
        key.revoked_at = utcnow()
