"""Roles of people's own making, and the grants they are made of."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask_appbuilder.security.sqla.models import Permission, PermissionView, Role, ViewMenu, assoc_user_role
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.exc import IntegrityError

from app.db import transaction
from app.errors import Conflict, Denied
from app.extensions import db
from app.models.users import User


def names() -> list[str]:
    """Return the names of the roles that a person can have; Public is for those who are nobody yet."""
    return list(db.session.scalars(select(Role.name).where(Role.name != "Public").order_by(Role.name)))


def name_of(role_id: int) -> str:
    """Return the name of a role, empty if there is none."""
    return db.session.scalar(select(Role.name).where(Role.id == role_id)) or ""


def _phrase(permission: str, on: str) -> str:
    """Return a grant as people read it."""
    return f"{permission.removeprefix('can_').replace('_', ' ')} – {on}"


def all_grants() -> list[tuple[int, str]]:
    """Return all grants as choices."""
    statement = (
        select(PermissionView.id, Permission.name, ViewMenu.name)
        .select_from(PermissionView)
        .join(Permission)
        .join(ViewMenu)
        .order_by(ViewMenu.name, Permission.name)
    )
    return [(pk, _phrase(permission, on)) for pk, permission, on in db.session.execute(statement)]


def readable(pairs: Iterable[PermissionView]) -> list[str]:
    """Return grants as texts, one for each thing that they are on."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        found.setdefault(pair.view_menu.name, []).append(pair.permission.name.removeprefix("can_").replace("_", " "))
    return [f"{on}: {', '.join(sorted(words))}" for on, words in sorted(found.items())]


def matching(query: str) -> ColumnElement[bool]:
    """Select grants whose permission, or what it is on, contains the text literally."""
    permission = select(Permission.id).where(Permission.name.icontains(query, autoescape=True))
    on = select(ViewMenu.id).where(ViewMenu.name.icontains(query, autoescape=True))
    return or_(PermissionView.permission_id.in_(permission), PermissionView.view_menu_id.in_(on))


def save(viewer: User, role: Role, name: str, grant_ids: Sequence[int]) -> None:
    """Store a role with exactly these grants.

    Raises:
        Conflict: when another role has the name.
        Denied: when the viewer would give more than they have.
    """
    pairs = list(db.session.scalars(select(PermissionView).where(PermissionView.id.in_(grant_ids))))
    if not {(pair.permission.name, pair.view_menu.name) for pair in pairs} <= viewer.permissions:
        raise Denied("You cannot make a role that may do more than you.")
    try:
        with transaction() as session:
            role.name, role.permissions = name.strip(), pairs
            session.add(role)
            session.flush()
    except IntegrityError as error:
        raise Conflict("Another role has this name.") from error


def copy(viewer: User, role: Role) -> Role:
    """Add a role with the same grants under a new name."""
    taken = set(db.session.scalars(select(Role.name)))
    name = next(
        n for n in (f"{role.name[:50]} copy {i}".removesuffix(" 1") for i in range(1, 10_000)) if n not in taken
    )
    made = Role()
    save(viewer, made, name, [pair.id for pair in role.permissions])
    return made


def delete(role: Role) -> None:
    """Delete a role.

    Raises:
        Conflict: when somebody has it.
    """
    having: Any = assoc_user_role
    if db.session.scalar(select(having.c.id).where(having.c.role_id == role.id).limit(1)) is not None:
        raise Conflict(f"Somebody still has the role {role.name}. Take it from them first.")
    with transaction() as session:
        session.delete(role)
