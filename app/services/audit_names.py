"""The names of what entries of the audit trail know by number."""

from collections.abc import Iterable
from typing import Any

from flask_appbuilder.security.sqla.models import Group, Permission, PermissionView, Role, ViewMenu
from sqlalchemy import literal, select, union_all

from app.extensions import db
from app.models.audit import AuditEntry, AuditPerson
from app.models.tags import Tag
from app.services.audit_sentences import NUMBERED, Names

_right = Permission.name + " on " + ViewMenu.name
_NAMES: dict[str, tuple[Any, Any]] = {
    # what is known by number -> its number, its name
    "person": (AuditPerson.user_id, AuditPerson.name),
    "tag": (Tag.id, Tag.name),
    "role": (Role.id, Role.name),
    "group": (Group.id, Group.name),
    "right": (PermissionView.id, _right),
}


def names(entries: Iterable[AuditEntry]) -> Names:
    """Return the names of all that the entries know by number, in one statement."""
    ids: dict[str, set[int]] = {}
    for entry in entries:
        ids.setdefault("person", set()).add(entry.actor_id or 0)
        if entry.entity == "user":
            ids["person"].add(entry.row_id or 0)
        for field, values in entry.changes.items():
            if field in NUMBERED and values:
                flat = [one for side in values for one in (side if isinstance(side, list) else [side])]
                ids.setdefault(NUMBERED[field], set()).update(one for one in flat if one is not None)
    parts = []
    for kind, wanted in ids.items():
        key, name = _NAMES[kind]
        part = select(literal(kind), key, name).where(key.in_(wanted))
        joined = part.select_from(PermissionView).join(Permission).join(ViewMenu) if kind == "right" else part
        parts.append(joined)
    if not parts:
        return {}
    return {(kind, pk): name for kind, pk, name in db.session.execute(union_all(*parts))}
