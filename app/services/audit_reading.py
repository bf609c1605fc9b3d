"""Reading the audit trail: who may, and what is found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, true

from app.extensions import db
from app.models.audit import AuditEntry, AuditPerson
from app.models.users import User
from app.services import paging
from app.services.permissions import can
from app.services.users import zone_named


def visible_to(viewer: User) -> ColumnElement[bool]:
    """Select the entries that the viewer may read: all, or those about todos and what belongs to them."""
    return true() if can(viewer, "can_see_all", "Audit") else AuditEntry.kind == "data"


@dataclass(frozen=True)
class Wanted:
    """What a list of entries shows; empty means any."""

    who: str = ""
    kind: str = ""
    action: str = ""
    entity: str = ""
    row_id: int | None = None
    since: date | None = None
    until: date | None = None
    time_zone: str = "UTC"


def matching(wanted: Wanted) -> ColumnElement[bool]:
    """Select the entries that are wanted."""
    columns = {name: getattr(wanted, name) for name in ("kind", "action", "entity", "row_id")}
    found = [getattr(AuditEntry, name) == value for name, value in columns.items() if value]
    if wanted.who:
        found.append(_by(wanted.who))
    zone = zone_named(wanted.time_zone)
    if wanted.since:
        found.append(AuditEntry.at >= datetime.combine(wanted.since, time(), zone))
    if wanted.until and wanted.until < date.max:
        found.append(AuditEntry.at < datetime.combine(wanted.until + timedelta(days=1), time(), zone))
    return and_(true(), *found)


def _by(text: str) -> ColumnElement[bool]:
    """Select what somebody did whose name or username contains the text literally, or a program of such a name."""
    people = select(AuditPerson.user_id).where(AuditPerson.name.icontains(text, autoescape=True))
    users = select(User.id).where(User.username.icontains(text, autoescape=True))
    program = AuditEntry.program.icontains(text, autoescape=True)
    return or_(AuditEntry.actor_id.in_(people), AuditEntry.actor_id.in_(users), program)


def of_todo(todo_id: int, before: datetime | None, limit: int) -> list[AuditEntry]:
    """Return the latest changes of a todo, or those before an instant, newest first."""
    statement = select(AuditEntry).where(AuditEntry.todo_id == todo_id, AuditEntry.entity == "todo")
    if before is not None:
        statement = statement.where(AuditEntry.at < before)
    return list(db.session.scalars(statement.order_by(AuditEntry.id.desc()).limit(limit)))


def listed(
    viewer: User, wanted: Wanted, todo_id: int | None, part: paging.Wanted
) -> tuple[list[AuditEntry], str | None]:
    """Return one page of the entries for a program, and the cursor of the next."""
    statement = select(AuditEntry).where(visible_to(viewer), matching(wanted))
    if todo_id is not None:
        statement = statement.where(AuditEntry.todo_id == todo_id)
    return paging.page(statement, {"id": paging.Order(AuditEntry.id, int)}, AuditEntry.id, part)


def bounds(viewer: User, wanted: Wanted) -> range:
    """Return a range of ids that holds all entries which are wanted and visible."""
    both = select(func.min(AuditEntry.id), func.max(AuditEntry.id)).where(visible_to(viewer), matching(wanted))
    first, last = db.session.execute(both).one()
    return range(first, last + 1) if first is not None else range(0)


def between(viewer: User, wanted: Wanted, ids: Sequence[int]) -> list[AuditEntry]:
    """Return the wanted and visible entries from the first to the last of some ids."""
    within = AuditEntry.id.between(ids[0], ids[-1])
    statement = select(AuditEntry).where(visible_to(viewer), matching(wanted), within).order_by(AuditEntry.id)
    return list(db.session.scalars(statement))
