"""Who may sign in, as the people see and change it who run the site."""

from typing import Any

from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import func, select, true
from sqlalchemy.orm import selectinload

from app.db import transaction
from app.errors import Denied, NotFound
from app.extensions import db
from app.models.users import User, new_stamp
from app.services.users_leaving import deactivate
from app.services.users_rank import LAST, is_last_admin


def overview(role: str | None = None, inactive: bool = False) -> list[dict[str, Any]]:
    """Return facts about people in order of their usernames.

    Args:
        role: only those who have it directly.
        inactive: only those who may not sign in.

    Raises:
        NotFound: when there is no such role.
    """
    if role is not None and db.session.scalar(select(Role.id).where(Role.name == role)) is None:
        raise NotFound(f"There is no role {role}.")
    statement = (
        select(User)
        .where(User.roles.any(Role.name == role) if role else true(), User.active.is_(False) if inactive else true())
        .order_by(func.lower(User.username))
        .options(selectinload(User.roles))
    )
    return [_facts(user) for user in db.session.scalars(statement)]


def _facts(user: User) -> dict[str, Any]:
    """Return what is shown of a person."""
    return {
        "id": user.id,
        "username": user.username,
        "name": f"{user.first_name} {user.last_name}",
        "email": user.email,
        "roles": sorted(role.name for role in user.roles),
        "active": bool(user.active),
        "last_login": user.last_login and user.last_login.isoformat(" ", "seconds"),
    }


def set_active(username: str, active: bool, dry_run: bool = False) -> bool:
    """Let somebody sign in or not; return whether that is a change. Sessions end with the right to sign in.

    Raises:
        NotFound: when there is nobody of this name.
        Denied: when it is the last active admin.
    """
    user = db.session.scalar(select(User).where(func.lower(User.username) == username.lower()))
    if user is None:
        raise NotFound(f"There is nobody called {username}. See: flask users list")
    if bool(user.active) == active:
        return False
    if not active and is_last_admin(user):
        raise Denied(LAST)
    if not dry_run and active:
        with transaction():
            user.active, user.session_stamp = active, new_stamp()
    elif not dry_run:
        deactivate(user)
    return True


def count() -> int:
    """Return how many users there are."""
    return int(db.session.scalar(select(func.count()).select_from(User)) or 0)
