"""What would become of the rows of an import: who and what they name, and which todos are there already."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import and_, func, or_, select

from app.extensions import db
from app.models.tags import tag_key
from app.models.todos import Todo
from app.models.users import User
from app.services import calendars, tags, users
from app.services.imports_formats import Record
from app.services.imports_guess import Mapping
from app.services.imports_values import Problem, Row, read
from app.services.permissions import can
from app.services.todos_rules import visible_to

NOT_YOURS = "You can add todos for yourself only. Leave the column of owners out to make them yours."
NO_TAG = "There is no tag called {}, and your role does not let you add one."
NOBODY = "There is nobody called {}."


class Matcher:
    """Matches the rows of one file, batch by batch, in a few statements each."""

    def __init__(self, viewer: User, mapping: Mapping) -> None:
        self.viewer, self.mapping = viewer, mapping
        self.people: dict[str, int | None] = {}  # name or address in lower case -> id
        self.tags: dict[str, bool] = {}  # key -> whether it exists
        self.seen: dict[str, int] = {}  # key of a row -> its number

    def read(self, records: Iterable[Record]) -> Iterator[Row]:
        """Return rows as far as the file alone tells; one that was there before is a problem."""
        for record in records:
            row = read(record, self.mapping, self.viewer.id)
            first = self.seen.setdefault(row.key, row.number) if row.key else row.number
            if first != row.number:
                row.problems.append(Problem(row.number, "", "", f"This is the same as row {first}."))
            yield row

    def match(self, rows: Sequence[Row]) -> None:
        """Find what the rows name and which of them are there, and note what cannot be."""
        good = [row for row in rows if not row.problems]
        self._find(good)
        self._load_people(name for row in good for names in row.names.values() for name in names)
        self._load_tags(name for row in good for name in row.fields.get("tags", ()))
        for row in good:
            self._name_people(row)
            self._check_tags(row)

    def _find(self, rows: Sequence[Row]) -> None:
        """Find the todos that the rows are, imported before or exported from here; what lies in the trash is gone."""
        numbers = [row.origin[0] for row in rows if row.origin]
        ours = and_(Todo.id.in_(numbers), visible_to(self.viewer))
        which = and_(Todo.deleted_at.is_(None), or_(Todo.import_key.in_([row.key for row in rows]), ours))
        columns = select(Todo.id, Todo.import_key, Todo.created_at).where(which)
        found = db.session.execute(columns).all() if rows else []
        by_key = {one.import_key: one for one in found if one.import_key}
        by_origin: dict[Any, Any] = {(one.id, one.created_at): one for one in found}
        by_origin |= {(one.id, calendars.uid_of(one.id, one.created_at)): one for one in found}
        for row in rows:
            todo = by_key.get(row.key) or (by_origin.get(row.origin) if row.origin else None)
            if todo is not None:
                row.todo_id = todo.id

    def _load_people(self, names: Iterable[str]) -> None:
        """Look up who is not known yet, by username or address."""
        missing = {name.lower() for name in names} - self.people.keys()
        if not missing:
            return
        self.people |= dict.fromkeys(missing)
        username, email = func.lower(User.username), func.lower(User.email)
        named = or_(username.in_(missing), email.in_(missing))
        found = select(User.id, username, email).where(named, users.visible_to(self.viewer), User.active)
        for user_id, *both in db.session.execute(found):
            self.people |= {name: user_id for name in both if name in missing}

    def _name_people(self, row: Row) -> None:
        """Turn names into people."""
        for field, names in row.names.items():
            ids = {name: self.people.get(name.lower()) for name in names}
            unknown = [name for name, user_id in ids.items() if user_id is None]
            if unknown and not (field == "owner" and row.todo_id):
                column = self.mapping[field]
                row.problems.append(Problem(row.number, column, ", ".join(names), NOBODY.format(", ".join(unknown))))
            row.fields[field] = [user_id for user_id in dict.fromkeys(ids.values()) if user_id is not None]
        owners = row.fields.pop("owner", None) or [self.viewer.id]
        row.fields["owner_id"] = owners[0]
        foreign = owners[0] != self.viewer.id and not can(self.viewer, "can_change_all", "Todo")
        if foreign and not row.todo_id:
            row.problems.append(Problem(row.number, self.mapping["owner"], ", ".join(row.names["owner"]), NOT_YOURS))

    def _load_tags(self, names: Iterable[str]) -> None:
        """Look up which tags exist."""
        missing = {tag_key(name): name for name in names if tag_key(name) not in self.tags}
        if missing:
            existing = {tag.key for tag in tags.known(missing.values())}
            self.tags |= {key: key in existing for key in missing}

    def _check_tags(self, row: Row) -> None:
        """Refuse new tags from those who may not make any."""
        names = row.fields.get("tags", [])
        new = [name for name in names if not self.tags[tag_key(name)]]
        if new and not can(self.viewer, "can_create", "Tag"):
            column = self.mapping["tags"]
            row.problems.append(Problem(row.number, column, ", ".join(names), NO_TAG.format(", ".join(new))))
