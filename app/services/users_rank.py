"""Who may do more than whom, and that somebody stays who may do everything; roles through groups count as one's own."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flask_appbuilder.security.sqla.models import Group, Role
from sqlalchemy import ColumnElement, and_, or_, select

from app.db import take_turns, transaction
from app.errors import Denied
from app.extensions import db
from app.models.users import User
from app.services.permissions import granted_to, with_permissions

ADMIN = "Admin"
ADMIN_LOCK = 0x70D07  # an arbitrary number that names the lock in PostgreSQL
LAST = "This is the last active admin. Make somebody else Admin first."


def check_rank(viewer: User, roles: Iterable[Role], user: User | None = None) -> None:
    """Let nobody give roles to, or take over, somebody who may do more than they.

    Raises:
        Denied: naming the role, or the person.
    """
    for role in roles:
        if not {(pair.permission.name, pair.view_menu.name) for pair in role.permissions} <= viewer.permissions:
            raise Denied(f"You cannot do this with the role {role.name}, which may do more than you.")
    if user is not None and not rights_of(user) <= viewer.permissions:
        raise Denied(f"You cannot do this with {user.get_full_name()}, who may do more than you.")


def rights_of(user: User) -> frozenset[tuple[str, str]]:
    """Return what somebody may do, directly or through groups, whether they may sign in or not."""
    stranger: Any = type("Rights", (), {})()
    return with_permissions(stranger, db.session.scalar(select(granted_to(user.id)))).permissions


def _is_admin() -> ColumnElement[bool]:
    """Select active people who have the role, directly or through a group."""
    through = User.groups.any(Group.roles.any(Role.name == ADMIN))
    return and_(User.active, or_(User.roles.any(Role.name == ADMIN), through))


def _has_admin(but: int = 0) -> bool:
    """Tell whether somebody administers the site."""
    return db.session.scalar(select(User.id).where(_is_admin(), User.id != but).limit(1)) is not None


def is_last_admin(user: User) -> bool:
    """Tell whether nobody else could administer the site."""
    return not _has_admin(but=user.id) and _has_admin()


@contextmanager
def keep_an_admin() -> Iterator[Any]:
    """Commit changes of roles and accounts, one process at a time, unless they take the last admin away.

    Raises:
        Denied: when they would; nothing is changed then.
    """
    with transaction() as session:
        take_turns(session, ADMIN_LOCK)
        had = _has_admin()
        yield session
        session.flush()
        if had and not _has_admin():
            raise Denied(LAST)
