"""What a key does when a program shows it: checked in one statement, never able to do more than its scope."""

from datetime import datetime, timedelta

from sqlalchemy import and_, select, update

from app.db import transaction, utcnow
from app.extensions import db
from app.models.api_keys import ApiKey
from app.models.users import User
from app.services.api_keys import digest_of, live
from app.services.permissions import Grant, granted_to, with_permissions

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


def authenticate(secret: str) -> tuple[User, str] | None:
    """Return the active user of a key, with no more permissions than its scope allows, and the scope."""
    key = and_(ApiKey.digest == digest_of(secret), live())
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
