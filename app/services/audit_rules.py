"""What the audit trail keeps of which table: declared here once, for every way in which a row can change."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ANONYMOUS_DOMAIN = "anonymous.invalid"  # no mail goes there (RFC 2606)
Values = Mapping[str, tuple[Any, Any]]  # column -> before, after
Event = tuple[str, Iterable[str]]  # action, the columns it is about


def changed(values: Values) -> list[Event]:
    """Call any change a change."""
    return [("changed", values)] if values else []


@dataclass(frozen=True)
class Rows:
    """How the rows of a table are audited.

    Args:
        entity: the word for a row.
        fields: columns whose values are kept, before and after.
        named: columns of which only the change is kept: secrets, and what would identify somebody who is anonymised.
        label: the column by which people know the row.
        version: the column that counts its changes.
        todo: the column with the id of the todo in whose history it appears.
        actor: the column with the id of who did it, if nobody is signed in.
        whole: the column with the id of the row that a row is a part of: the entries of the whole tell enough.
        created: the action of adding a row; None if that is no event.
        deleted: the action of removing a row; None if that is no event.
        events: the actions of changing a row.
    """

    entity: str
    kind: str = "data"
    fields: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    label: str | None = None
    version: str | None = None
    todo: str | None = None
    actor: str | None = None
    whole: str | None = None
    created: str | None = "created"
    deleted: str | None = "deleted"
    events: Callable[[Values], list[Event]] = changed

    @property
    def watched(self) -> tuple[str, ...]:
        """Return the columns whose change is an event."""
        return (*self.fields, *self.named)

    @property
    def facts(self) -> tuple[str, ...]:
        """Return the columns that say what an entry is about."""
        return tuple({name: None for name in (self.label, self.version, self.todo, self.actor, self.whole) if name})


@dataclass(frozen=True)
class Links:
    """How a table that belongs to the rows of another one is audited: as a collection of theirs.

    Args:
        parent: the table they belong to.
        key: the column with the parent's id.
        field: what the collection is called; for a table without a model, the parent's relationship.
        value: the column that is kept of each.
    """

    parent: str
    key: str
    field: str
    value: str


def todo_events(values: Values) -> list[Event]:
    """Tell moving to the trash and back from other changes."""
    if "deleted_at" not in values:
        return changed(values)
    return [("restored" if values["deleted_at"][1] is None else "deleted", values)]


def user_events(values: Values) -> list[Event]:
    """Tell logins, failures and what ends sessions from changes of somebody's facts."""
    if str(values.get("email", ("", ""))[1]).endswith(ANONYMOUS_DOMAIN):
        return [("anonymised", ())]
    failed = values.get("fail_login_count", (0, 0))
    found: list[Event] = []
    if "login_count" in values:
        found.append(("login", ()))
    if (failed[1] or 0) > (failed[0] or 0):
        found.append(("login_failed", ()))
    if values.get("locked_until", (None, None))[1] is not None:
        found.append(("locked", ()))
    if "password" in values:
        found.append(("password_changed", ()))
    if "active" in values:
        found.append(("activated" if values["active"][1] else "deactivated", ()))
    if "roles" in values or "groups" in values:
        found.append(("roles_changed", values.keys() & {"roles", "groups"}))
    if "session_stamp" in values and not found:
        found.append(("sessions_ended", ()))
    facts = values.keys() & {"username", "first_name", "last_name", "email", "time_zone", "language", "mail"}
    return found + ([("changed", facts)] if facts else [])


def job_events(values: Values) -> list[Event]:
    """Name the new status."""
    status = values["status"][1]
    return [("started" if status == "running" else str(status), ())]


def key_events(values: Values) -> list[Event]:
    """Tell the end of a key from its renaming."""
    return [("key_revoked", ())] if "revoked_at" in values else changed(values)


AUDITED = {
    "todos": Rows(
        "todo",
        fields=("title", "notes", "priority", "due_on", "complete", "owner_id", "deleted_at"),
        label="title",
        version="version",
        todo="id",
        deleted="purged",
        events=todo_events,
    ),
    "ab_user": Rows(
        "user",
        kind="security",
        named=(
            *(
                "username",
                "first_name",
                "last_name",
                "email",
                "time_zone",
                "language",
                "mail",
                "active",
                "password",
                "session_stamp",
            ),
            *("login_count", "fail_login_count", "locked_until"),
        ),
        actor="id",
        events=user_events,
    ),
    "tags": Rows("tag", fields=("name", "colour"), label="name"),
    "comments": Rows(
        "comment",
        fields=("body", "deleted_at"),
        todo="todo_id",
        actor="author_id",
        deleted="purged",
        events=todo_events,
    ),
    "ab_role": Rows("role", kind="security", fields=("name",), label="name"),
    "ab_group": Rows("group", kind="security", fields=("name",), label="name"),
    "ended_sessions": Rows("session", kind="security", created="logout", deleted=None),
    "api_keys": Rows(
        "key",
        kind="security",
        fields=("name", "scope", "revoked_at"),
        label="name",
        actor="user_id",
        created="key_created",
        deleted="key_revoked",
        events=key_events,
    ),
    "jobs": Rows(
        "job",
        kind="job",
        fields=("status",),
        label="name",
        actor="owner_id",
        whole="parent_id",
        created="submitted",
        deleted=None,
        events=job_events,
    ),
}
LINKS = {
    "todo_assignees": Links("todos", "todo_id", "assignees", "user_id"),
    "todo_tags": Links("todos", "todo_id", "tags", "tag_id"),
    "attachments": Links("todos", "todo_id", "attachments", "name"),
    "ab_user_role": Links("ab_user", "user_id", "roles", "role_id"),
    "ab_user_group": Links("ab_user", "user_id", "groups", "group_id"),
    "ab_group_role": Links("ab_group", "group_id", "roles", "role_id"),
    "ab_permission_view_role": Links("ab_role", "role_id", "permissions", "permission_view_id"),
}
# table -> why its rows leave no entries
EXEMPT = {
    "attachment_chunks": "the bytes of files, whose names are in the trail",
    "audit_entries": "the trail itself",
    "audit_people": "the names in the trail",
    "audit_purges": "open for one transaction at a time",
    "ab_permission": "comes from the code",
    "ab_view_menu": "comes from the code",
    "ab_permission_view": "comes from the code",
    "ab_register_user": "not used: registration adds users at once",
    "ab_api_key": "not used",
    **dict.fromkeys(
        ("undo_steps", "undo_rows", "undo_assignees", "undo_tags"), "copies of a day, to take an action back"
    ),
    "calendar_feeds": "a secret address, for reading only",
    "idempotency_keys": "answers of a day, for programs that ask again",
    "comment_mentions": "follow from the text of comments",
    "import_rows": "on their way to todos, which are in the trail",
    "maintenance": "a sign on the door; opening and closing are noted as events",
    "morning_mails": "say which mails left",
    "saved_filters": "one's own bookmarks",
    "notifications": "tell of what other entries are about",
    "job_workers": "signs of life, one every few seconds",
    "job_slots": "turns of the schedule, whose jobs are in the trail",
}
# people's names, which the trail keeps in a table of its own so that they can be replaced
NAMES = {"username", "first_name", "last_name"}
