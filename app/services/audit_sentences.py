"""Entries of the audit trail as people read them: “changed the due date from 1 May 2030 to 3 May 2030”."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from babel.dates import format_date

from app.models.audit import AuditEntry
from app.models.todos import PRIORITIES

Names = Mapping[tuple[str, int], str]  # what, its number -> its name
# field -> what its numbers are
NUMBERED = {
    "owner_id": "person",
    "assignees": "person",
    "tags": "tag",
    "roles": "role",
    "groups": "group",
    "permissions": "right",
}
GONE = {"person": "somebody who is gone", "tag": "a deleted tag", "role": "a deleted role"}
FIELDS = {
    "title": "title",
    "name": "name",
    "colour": "colour",
    "due_on": "due date",
    "priority": "priority",
    "notes": "notes",
    "owner_id": "owner",
    "username": "username",
    "first_name": "first name",
    "last_name": "last name",
    "email": "email address",
    "time_zone": "time zone",
    "scope": "scope",
}
LONG = {"notes", "body", "text"}  # shown apart from the sentence
SHORT, SHORT_LABEL = 80, 50  # characters of a value within a sentence
ACTIONS = {
    "created": "added",
    "deleted": "deleted",
    "restored": "restored",
    "purged": "deleted for ever",
    "registered": "registered",
    "login": "logged in",
    "login_failed": "typed a wrong password for",
    "locked": "made wait, after too many wrong passwords,",
    "logout": "logged out",
    "password_changed": "changed the password of",
    "roles_changed": "changed the roles of",
    "activated": "let in",
    "deactivated": "deactivated",
    "anonymised": "anonymised",
    "sessions_ended": "logged out everywhere",
    "key_created": "made the API key",
    "key_revoked": "revoked the API key",
    "submitted": "asked for",
    "started": "started",
    "succeeded": "finished",
    "failed": "could not finish",
    "cancelled": "cancelled",
    "changed": "changed",
    "closed": "closed the site for maintenance",
    "opened": "opened the site again",
}


def who(entry: AuditEntry, names: Names) -> str:
    """Return who did it: a person, a program, the system in a job of its own, or nobody known."""
    if entry.actor_id is not None:
        return names.get(("person", entry.actor_id), GONE["person"])
    return entry.program or ("The system" if entry.job_id else "Somebody")


def about(entry: AuditEntry, names: Names) -> str:
    """Return what it was done to, such as: todo 12 “Water the plants”."""
    if entry.entity == "user" and entry.row_id is not None:
        return names.get(("person", entry.row_id), GONE["person"])
    label = quoted(entry.label, SHORT_LABEL) if entry.label else ""
    return f"{entry.entity} {entry.row_id} {label}".strip() if entry.row_id else label


def of_todo(entry: AuditEntry, names: Names) -> str:
    """Return what was done to a todo, as its own page says it."""
    if entry.action in ("created", "deleted", "restored", "purged"):
        return {"deleted": "moved this todo to the trash", "restored": "took this todo back from the trash"}.get(
            entry.action, f"{ACTIONS[entry.action]} this todo"
        )
    return changes(entry, names) or "changed this todo"


def sentence(entry: AuditEntry, names: Names) -> str:
    """Return what was done, without who did it."""
    what, done = about(entry, names), ACTIONS.get(entry.action, entry.action)
    if entry.actor_id is not None and entry.actor_id == entry.row_id and entry.entity == "user":
        what = {"password_changed": "themselves", "roles_changed": "themselves"}.get(entry.action, "")
    details = changes(entry, names) if entry.action in ("changed", "roles_changed") else ""
    if entry.action == "changed":
        what = what or "their own account"
        return f"{what}: {details}" if details else f"{done} {what}"
    if entry.action == "login_failed" and entry.row_id is None:
        return "tried to log in with a name that nobody has"
    if entry.action == "purged" and entry.entity is None:
        return f"deleted {entry.changes['entries'][0]:,} entries of the audit trail that were too old"
    return " ".join(part for part in (done, what) if part) + (f": {details}" if details else "")


def changes(entry: AuditEntry, names: Names) -> str:
    """Return what changed from what to what, as one phrase."""
    phrases = [_change(field, values, names) for field, values in entry.changes.items()]
    return _listed([phrase for phrase in phrases if phrase])


def _change(field: str, values: Sequence[Any] | None, names: Names) -> str:
    """Return the change of one field."""
    name = FIELDS.get(field, field.replace("_", " "))
    if values is None or field in LONG:
        return f"changed the {name}"
    before, after = values
    if field == "complete":
        return "completed it" if after else "reopened it"
    if isinstance(before, list):
        return _listed(_collection(field, before, after, names))
    old, new = (value(field, one, names) for one in (before, after))
    if before in (None, ""):
        return f"set the {name} to {new}"
    return f"removed the {name} {old}" if after in (None, "") else f"changed the {name} from {old} to {new}"


NOUNS = ("file", "right", "role", "group")


def _collection(field: str, removed: list[Any], added: list[Any], names: Names) -> list[str]:
    """Return what came to a collection and what went."""
    adding, removing = {
        "assignees": ("assigned", "unassigned"),
        "attachments": ("attached", "removed the file"),
        "tags": ("tagged it", "untagged it"),
        "permissions": ("gave the right", "took the right"),
        "roles": ("gave the role", "took the role"),
        "groups": ("added to the group", "removed from the group"),
    }.get(field, ("added", "removed"))
    told = []
    for verb, found in ((removing, removed), (adding, added)):
        if found:
            plural = "s" if len(found) > 1 and verb.endswith(NOUNS) else ""
            told.append(f"{verb}{plural} {_listed([value(field, one, names) for one in found])}")
    return told


def value(field: str, found: Any, names: Names) -> str:
    """Return a value as people read it."""
    if field in NUMBERED and isinstance(found, int):
        return names.get((NUMBERED[field], found), GONE.get(NUMBERED[field], "something deleted"))
    if field == "priority":
        return PRIORITIES[found]
    if field.endswith("_on") and isinstance(found, str):
        return str(format_date(date.fromisoformat(found), "d MMM yyyy", locale="en"))
    return quoted(str(found))


def quoted(text: str, longest: int = SHORT) -> str:
    """Return a text within quotation marks, its end cut off when it is long."""
    return f"“{text[:longest]}…”" if len(text) > longest else f"“{text}”"


def _listed(parts: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
