"""What a person may do: loaded with the person, in one statement, at each request and each job."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from flask_appbuilder.security.sqla.models import (
    Permission,
    PermissionView,
    Role,
    ViewMenu,
    assoc_group_role,
    assoc_permissionview_role,
    assoc_user_group,
    assoc_user_role,
)
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    union,
    update,
)

from app.db import take_turns, transaction
from app.extensions import db
from app.models.notifications import Notification
from app.models.users import EndedSession, User

Grant = tuple[str, str]  # permission, what it is on
UNREAD_CAP = 100  # notifications are counted up to this
SYNC_LOCK = 0x70D05  # an arbitrary number that names the lock in PostgreSQL


def can(viewer: User, permission: str, on: str) -> bool:
    """Tell whether one of the viewer's roles grants `permission` on `on`."""
    return (permission, on) in viewer.permissions


def granted_to(user_id: int | ScalarSelect[Any] | BindParameter[int]) -> ScalarSelect[Any]:
    """Return all grants of a user, direct or through groups, as one string for `with_permissions`."""
    roles = union(
        select(assoc_user_role.c.role_id).where(assoc_user_role.c.user_id == user_id),
        select(assoc_group_role.c.role_id)
        .join(assoc_user_group, assoc_user_group.c.group_id == assoc_group_role.c.group_id)
        .where(assoc_user_group.c.user_id == user_id),
    )
    granted = (
        select((Permission.name + "\t" + ViewMenu.name).label("grant"))
        .select_from(assoc_permissionview_role)
        .join(PermissionView, PermissionView.id == assoc_permissionview_role.c.permission_view_id)
        .join(Permission, Permission.id == PermissionView.permission_id)
        .join(ViewMenu, ViewMenu.id == PermissionView.view_menu_id)
        .where(assoc_permissionview_role.c.role_id.in_(roles))
        .distinct()
        .subquery()
    )
    return select(func.aggregate_strings(granted.c.grant, "\n")).scalar_subquery()


def _unread_by(user_id: BindParameter[int]) -> ScalarSelect[int]:
    """Return how many notifications wait for a person; every page shows it, so it comes with the person."""
    some = select(Notification.id).where(Notification.user_id == user_id, Notification.read_at.is_(None))
    return select(func.count()).select_from(some.limit(UNREAD_CAP).subquery()).scalar_subquery()


def holders(permission: str, on: str) -> ColumnElement[bool]:
    """Select the people whom one of their roles, or of their groups' roles, grants `permission` on `on`."""
    roles = (
        select(assoc_permissionview_role.c.role_id)
        .join(PermissionView, PermissionView.id == assoc_permissionview_role.c.permission_view_id)
        .join(Permission, Permission.id == PermissionView.permission_id)
        .join(ViewMenu, ViewMenu.id == PermissionView.view_menu_id)
        .where(Permission.name == permission, ViewMenu.name == on)
    )
    by_group = (
        select(assoc_user_group.c.user_id)
        .join(assoc_group_role, assoc_group_role.c.group_id == assoc_user_group.c.group_id)
        .where(assoc_group_role.c.role_id.in_(roles))
    )
    direct = select(assoc_user_role.c.user_id).where(assoc_user_role.c.role_id.in_(roles))
    return User.id.in_(union(direct, by_group))


@cache
def _loading() -> Select[Any]:
    """Return what every request and every job asks; putting it together takes longer than the answer."""
    user_id: BindParameter[int] = bindparam("pk", type_=Integer)
    ended = exists().where(EndedSession.session_id == bindparam("session"))
    statement = select(User, granted_to(user_id), _unread_by(user_id)).where(User.id == user_id, User.active, ~ended)
    return statement.execution_options(populate_existing=True)


def load_user(user_id: int, session_id: str = "") -> User | None:
    """Return the active user, read afresh, or None if the user is gone or the session ended.

    The user has `permissions`, and `unread`: how many notifications wait, at most UNREAD_CAP.
    """
    row = db.session.execute(_loading(), {"pk": user_id, "session": session_id}).first()
    if row is None:
        return None
    user, granted, unread = row
    user.unread = unread
    return with_permissions(user, granted)


def with_permissions(user: User, granted: str | None) -> User:
    """Give a user the grants that were read with them."""
    user.permissions = frozenset(tuple(line.split("\t")) for line in (granted or "").split("\n") if line)
    return user


def load_signed_in(subject: str, session_id: str = "") -> User | None:
    """Return whom a session cookie or a token names, unless a new password or role has ended it."""
    user_id, _, stamp = subject.partition(":")
    user = load_user(int(user_id), session_id) if user_id.isdigit() else None
    return user if user is not None and user.session_stamp == stamp else None


def sync(declared: set[Grant], renamed: Mapping[str, str], roles: Mapping[str, Iterable[Grant]]) -> dict[str, int]:
    """Bring permissions and the built-in roles in line with the code; safe to run twice and at once.

    Args:
        declared: every grant that a view, an action or a menu checks.
        renamed: former name of a thing -> its name now; grants of people's own roles move along.
        roles: the built-in roles; they get exactly these grants. Other roles lose only what no longer exists.

    Returns:
        How many grants were added and removed, over all roles.
    """
    with transaction() as session:
        _lock(session)
        views = _names(session, ViewMenu)
        for old, new in renamed.items():
            if old in views and new not in views:
                session.execute(update(ViewMenu).where(ViewMenu.id == views[old]).values(name=new))
                views[new] = views.pop(old)
        pairs = _sync_pairs(session, declared, views)
        counts = {"added": 0, "removed": 0}
        for name, grants in roles.items():
            added, removed = _sync_role(session, name, {pairs[grant] for grant in grants})
            counts["added"] += added
            counts["removed"] += removed
        return counts


def _lock(session: Any) -> None:
    """Let one process sync at a time, until its transaction ends."""
    take_turns(session, SYNC_LOCK)


def _names(session: Any, model: Any) -> dict[str, int]:
    """Return name -> id of all permissions or all things they are on."""
    return {name: pk for pk, name in session.execute(select(model.id, model.name))}


def _add_names(session: Any, model: Any, wanted: set[str], known: dict[str, int]) -> dict[str, int]:
    """Insert the missing names and return all of them."""
    if missing := sorted(wanted - set(known)):
        session.execute(insert(model), [{"name": name} for name in missing])
    return _names(session, model)


def _sync_pairs(session: Any, declared: set[Grant], views: dict[str, int]) -> dict[Grant, int]:
    """Insert missing grants, delete those that nothing checks any more, and return all."""
    permissions = _add_names(session, Permission, {p for p, _ in declared}, _names(session, Permission))
    views = _add_names(session, ViewMenu, {v for _, v in declared}, views)
    pair = PermissionView
    names = select(Permission.name, ViewMenu.name, pair.id).select_from(pair).join(Permission).join(ViewMenu)
    known = {(p, v): pk for p, v, pk in session.execute(names)}
    if missing := sorted(declared - set(known)):
        rows = [{"permission_id": permissions[p], "view_menu_id": views[v]} for p, v in missing]
        session.execute(insert(pair), rows)
    stale = [pk for grant, pk in known.items() if grant not in declared]
    grants = assoc_permissionview_role
    session.execute(delete(grants).where(grants.c.permission_view_id.in_(stale)))
    session.execute(delete(pair).where(pair.id.in_(stale)))
    session.execute(delete(ViewMenu).where(ViewMenu.name.not_in({v for _, v in declared})))
    session.execute(delete(Permission).where(Permission.name.not_in({p for p, _ in declared})))
    return {(p, v): pk for p, v, pk in session.execute(names)}


def _sync_role(session: Any, name: str, wanted: set[int]) -> tuple[int, int]:
    """Make the role if it is missing and give it exactly the wanted grants."""
    role_id = session.scalar(select(Role.id).where(Role.name == name))
    if role_id is None:
        role_id = session.scalar(insert(Role).values(name=name).returning(Role.id))
    grants = assoc_permissionview_role
    known = set(session.scalars(select(grants.c.permission_view_id).where(grants.c.role_id == role_id)))
    if added := sorted(wanted - known):
        session.execute(insert(grants), [{"role_id": role_id, "permission_view_id": pk} for pk in added])
    removed = known - wanted
    session.execute(delete(grants).where(grants.c.role_id == role_id, grants.c.permission_view_id.in_(removed)))
    return len(added), len(removed)
