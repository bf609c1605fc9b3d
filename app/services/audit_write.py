"""The entries of one transaction: folded to one for each row and action, and written at its end."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from getpass import getuser
from typing import Any

from sqlalchemy import insert, inspect, literal, select
from sqlalchemy.orm import Session

from app.db import upsert, utcnow
from app.models.audit import AuditEntry, AuditPerson
from app.models.users import User
from app.services.audit_rules import AUDITED, NAMES, Rows, Values

PENDING = "audit"
LONGEST_LABEL = 255
UNKNOWN_ACTOR = ("login_failed", "locked")


@dataclass(frozen=True)
class Origin:
    """Who acts, through what, from where."""

    actor_id: Callable[[], int | None] = lambda: None
    program: str | None = None
    request_id: str | None = None
    job_id: int | None = None
    address: str | None = None


def operator() -> str:
    """Return who runs a command, as the operating system knows them."""
    try:
        return f"Command line ({getuser()})"[:64]
    except (OSError, KeyError):  # a container may run as a number without a name
        return "Command line"


origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


@contextmanager
def acting(here: Origin) -> Iterator[None]:
    """Name who acts in all entries of the block."""
    token = origin.set(here)
    try:
        yield
    finally:
        origin.reset(token)


@dataclass
class Change:
    """What happened to one row; links are collections: removed, added."""

    table: str
    row_id: Any
    what: str
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    links: dict[str, tuple[list[Any], list[Any]]] = field(default_factory=dict)


def collect(session: Any, change: Change | dict[str, Any]) -> None:
    """Keep a change, or a whole entry, until the transaction ends."""
    session.info.setdefault(PENDING, []).append((session.get_nested_transaction(), change))


def discard(session: Session, transaction: Any) -> None:
    """Forget the changes of a transaction, or of a savepoint, that was rolled back."""
    pending = session.info.get(PENDING, [])
    session.info[PENDING] = [one for one in pending if transaction.nested and one[0] is not transaction]


def note(session: Any, action: str, kind: str = "security", **columns: Any) -> None:
    """Add an event that no row tells of to the present transaction."""
    collect(session, {"action": action, "kind": kind} | columns)


def write(session: Session) -> None:
    """Write the entries, as the last statement before the commit."""
    session.flush()
    if session.in_nested_transaction():
        return
    found = [one for _, one in session.info.pop(PENDING, [])]
    rows: list[dict[str, Any]] = [one for one in found if isinstance(one, dict)]
    renamed: list[int] = []
    for change in _folded(one for one in found if isinstance(one, Change)):
        rows += _entries(change)
        if change.table == User.__tablename__ and NAMES & change.after.keys():
            renamed.append(change.row_id)
    if renamed:
        _keep_names(session, renamed)
    if rows:
        common = _common()
        empty = dict.fromkeys(column.name for column in AuditEntry.__table__.columns if column.name != "id")
        session.connection().execute(insert(AuditEntry.__table__), [_completed(empty, row, common) for row in rows])


def of_new(table: str, values: dict[str, Any], links: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the `changes` of the entry of a new row, for `write_new`."""
    change = Change(table, None, "created", after=values, links={name: ([], ids) for name, ids in links.items()})
    changes: dict[str, Any] = _entries(change)[0]["changes"]
    return changes


def write_new(session: Session, table: str, rows: Any) -> None:
    """Write the entries of rows that a statement added behind the session's back.

    Args:
        session: whose transaction it is.
        table: an audited one whose rows have histories of their own.
        rows: selects id, label and changes of each.
    """
    rule = AUDITED[table]
    pk, label, changes = rows.selected_columns
    facts = {"row_id": pk, "todo_id": pk, "label": label, "changes": changes, "version": literal(1)}
    common = {"kind": rule.kind, "action": rule.created, "entity": rule.entity} | _common()
    facts |= {name: literal(value, AuditEntry.__table__.c[name].type) for name, value in common.items()}
    entries = rows.with_only_columns(*facts.values())
    session.connection().execute(insert(AuditEntry.__table__).from_select(list(facts), entries))


def _completed(empty: dict[str, Any], row: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    """Return all columns of an entry; whom the row names acts only if nobody is signed in and no program runs."""
    made = empty | {"changes": {}} | row | {name: value for name, value in common.items() if name != "actor_id"}
    if common["actor_id"] is not None or common["program"]:
        made["actor_id"] = common["actor_id"]
    if made["entity"] == "user" and made["action"] == "created" and made["actor_id"] == made["row_id"]:
        made["action"] = "registered"
    return made


def _common() -> dict[str, Any]:
    """Return what all entries of a transaction share."""
    here = origin.get() or Origin(program=operator())
    return {
        "at": utcnow(),
        "actor_id": here.actor_id(),
        "program": here.program,
        "request_id": here.request_id,
        "job_id": here.job_id,
        "address": here.address,
    }


def _folded(changes: Iterable[Change]) -> list[Change]:
    """Make one change of all those of a row: the first value before, the last one after."""
    rows: dict[tuple[str, Any], Change] = {}
    for change in changes:
        known = rows.setdefault((change.table, change.row_id), Change(change.table, change.row_id, change.what))
        if change.what != "changed":
            gone = known.what == "created" and change.what == "deleted"
            known.what = "nothing" if gone else change.what
        known.before = change.before | known.before
        known.after |= change.after
        known.facts |= {name: value for name, value in change.facts.items() if value is not None}
        for name, (removed, added) in change.links.items():
            old, new = known.links.setdefault(name, ([], []))
            for key in map(_key, removed):
                new.remove(key) if key in new else old.append(key)
            for key in map(_key, added):
                old.remove(key) if key in old else new.append(key)
    return list(rows.values())


def _key(value: Any) -> Any:
    """Return what is kept of a member of a collection: the id of an object."""
    state = inspect(value, raiseerr=False)
    return state.identity[0] if state is not None else value


def _entries(change: Change) -> list[dict[str, Any]]:
    """Return the entries of a change."""
    rule = AUDITED[change.table]
    if change.facts.get(rule.whole or ""):
        return []
    values: dict[str, tuple[Any, Any]] = {
        name: (change.before.get(name), change.after.get(name))
        for name in rule.watched
        if change.before.get(name) != change.after.get(name)
    }
    values |= {name: (sorted(old), sorted(new)) for name, (old, new) in change.links.items() if old or new}
    if change.what == "changed":
        events = rule.events(values) if values else []
    else:
        action = {"created": rule.created, "deleted": rule.deleted}.get(change.what)
        events = [(action, values.keys() - set(rule.named))] if action else []
    return [_entry(rule, change, action, {name: values[name] for name in names}) for action, names in events]


def _entry(rule: Rows, change: Change, action: str, values: Values) -> dict[str, Any]:
    """Return the columns of one entry."""
    known = change.row_id if isinstance(change.row_id, int) else None
    facts = {"id": known} | change.facts
    label = facts.get(rule.label or "")
    return {
        "kind": rule.kind,
        "action": action,
        "entity": rule.entity,
        "row_id": known,
        "label": str(label)[:LONGEST_LABEL] if label is not None else None,
        "todo_id": known if rule.todo == "id" else change.facts.get(rule.todo or ""),
        "version": change.facts.get(rule.version or ""),
        "actor_id": None
        if action in UNKNOWN_ACTOR
        else known
        if rule.actor == "id"
        else change.facts.get(rule.actor or ""),
        "changes": {name: None if name in rule.named else list(map(_plain, pair)) for name, pair in values.items()},
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    return value.isoformat() if isinstance(value, date) else value


def _keep_names(session: Session, ids: list[int]) -> None:
    """Keep people's names beside their rows."""
    people = select(User.id, User.first_name + " " + User.last_name).where(User.id.in_(ids))
    add = upsert(AuditPerson.__table__).from_select(["user_id", "name"], people)
    add = add.on_conflict_do_update(index_elements=["user_id"], set_={"name": add.excluded.name})
    session.connection().execute(add)
