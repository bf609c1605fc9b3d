"""API keys: made and revoked by their users, checked in one statement, never able to do more than their scope."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, select, update

from app.db import transaction, utcnow
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models.api_keys import ApiKey
from app.models.users import User
from app.services.permissions import Grant, granted_to, with_permissions

PREFIX = "todos_"  # lets scanners of source code recognise a key that leaked
SHOWN = len(PREFIX) + 6
MOST_KEYS = 20
USE_NOTED_AFTER = timedelta(hours=1)
READING = {"can_list", "can_show", "can_get", "can_lookup", "can_see_all"}
# what the scopes read and write reach; anything else, such as people's accounts, needs the scope admin
TEAM_WORK = {"Todo", "Attachment", "Comment", "Tag", "Job", "Person", "OpenApi"}


def allowed(scope: str, permissions: frozenset[Grant]) -> frozenset[Grant]:
    """Return those of a user's permissions that a key of this scope carries."""
    if scope == "admin":
        return permissions
    team = (grant for grant in permissions if grant[1] in TEAM_WORK)
    return frozenset(grant for grant in team if scope == "write" or grant[0] in READING)


def digest_of(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _live() -> ColumnElement[bool]:
    """Select the keys that are neither revoked nor expired."""
    return and_(ApiKey.revoked_at.is_(None), ApiKey.expires_at > utcnow())


def authenticate(secret: str) -> tuple[User, str] | None:
    """Return the active user of a key, with no more permissions than its scope allows, and the scope."""
    key = and_(ApiKey.digest == digest_of(secret), _live())
    owner = select(ApiKey.user_id).where(key).scalar_subquery()
    statement = select(User, granted_to(owner), ApiKey).join(ApiKey, ApiKey.user_id == User.id).where(key, User.active)
    row = db.session.execute(statement.execution_options(populate_existing=True)).first()
    if row is None:
        return None
    user, granted, used = row
    with_permissions(user, granted)
    user.permissions = allowed(used.scope, user.permissions)
    _note_use(used.id, used.last_used_at)
    return user, used.scope


def _note_use(key_id: int, last: datetime | None) -> None:
    """Remember that a key is in use, at most once an hour."""
    now = utcnow()
    if last is not None and last > now - USE_NOTED_AFTER:
        return
    with transaction() as session:
        statement = update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=now)
        session.execute(statement.execution_options(synchronize_session=False))


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
