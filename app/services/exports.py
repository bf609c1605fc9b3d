"""Todos as a file: their values, and CSV that spreadsheets read without executing it."""

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import IO, Any, Self

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from app.db import utcnow
from app.extensions import db
from app.models.todos import Todo
from app.models.users import User
from app.services import attachments_results
from app.services.todos_rules import visible_to

# the columns of CSV and XLSX and the keys of JSON Lines, all that an import needs; only ever add to them
COLUMNS = (
    "id",
    "title",
    "notes",
    "priority",
    "due_on",
    "complete",
    "completed_at",
    "owner",
    "assignees",
    "created_at",
    "updated_at",
    "tags",
    "attachments",
)
# a spreadsheet takes a cell for a formula that starts so, also in full width and behind blanks (OWASP, CSV injection)
FORMULA = re.compile(r"['\t\r\n]|[\s\x00-\x1f\u200b\u200e\u200f\ufeff]*[=+\-@＝＋－＠]")
SPOOL_BYTES = 1 << 20


def safe_cell(value: str) -> str:
    """Put an apostrophe before what a spreadsheet would execute, and before an apostrophe, so that it can be undone."""
    if FORMULA.match(value):
        return "'" + value
    return value


def rows(viewer: User, ids: Sequence[int]) -> Iterator[Todo]:
    """Return these todos in order, with all that belongs to them, as far as the viewer may see them."""
    loaded = (joinedload(Todo.owner), *(selectinload(part) for part in (Todo.assignees, Todo.tags, Todo.attachments)))
    statement = select(Todo).where(visible_to(viewer), Todo.id.in_(ids)).options(*loaded).order_by(Todo.id)
    for todo in db.session.scalars(statement.execution_options(populate_existing=True)):
        yield todo
        db.session.expunge(todo)


def values(todo: Todo) -> dict[str, Any]:
    """Return the values of `COLUMNS`."""
    found = {name: getattr(todo, name) for name in COLUMNS[:9]}
    found |= {"priority": todo.priority_name, "owner": todo.owner.username, "assignees": todo.assignee_usernames}
    found |= {"created_at": todo.created_at, "updated_at": todo.updated_at, "tags": todo.tag_names}
    return found | {"attachments": [file.name for file in todo.attachments]}


def text(value: Any) -> str:
    """Return a value as the text of a cell: dates and instants in ISO 8601, lists with commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


class File:
    """A file that grows on disk until it is kept in the database.

    Args:
        name: the beginning of what it is called.
    """

    extension, content_type = "", ""

    def __init__(self, name: str = "todos") -> None:
        self.count = 0
        self.name = f"{name}-{utcnow():%Y-%m-%d}.{self.extension}"
        self.bytes: IO[bytes] = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115, closed by __exit__
        self.begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bytes.close()

    def begin(self) -> None:
        """Write what stands before the first row."""

    def add(self, row: Any) -> None:
        """Write one row: a todo, unless the kind of file says otherwise."""
        raise NotImplementedError

    def end(self) -> None:
        """Write what stands behind the last one."""

    def write(self, rows: Iterable[Any]) -> None:
        """Write rows."""
        for row in rows:
            self.add(row)
            self.count += 1

    def content(self) -> IO[bytes]:
        """End the file and return its bytes, to be read from the start."""
        self.end()
        self.bytes.seek(0)
        return self.bytes

    def keep(self, job_id: int, owner_id: int) -> int:
        """Store the file as the job's result; see `attachments_results.keep`."""
        return attachments_results.keep(self.content(), self.name, self.content_type, job_id, owner_id)  # type: ignore[arg-type]


class CsvFile(File):
    """Comma-separated values: rows of text, of which a spreadsheet executes nothing.

    Args:
        name: the beginning of what it is called.
        columns: the names in its first line.
    """

    extension, content_type = "csv", "text/csv"

    def __init__(self, name: str = "todos", columns: Sequence[str] = COLUMNS) -> None:
        self._columns = columns
        super().__init__(name)

    def begin(self) -> None:
        """Write the names of the columns."""
        # Excel takes UTF-8 for what it is only with the byte order mark
        self._text = io.TextIOWrapper(self.bytes, "utf-8-sig", newline="", write_through=True)
        self._writer = csv.writer(self._text)
        self._writer.writerow(self._columns)

    def add(self, row: Any) -> None:
        """Write the cells of one row."""
        self._writer.writerow(map(safe_cell, row))


class TodosCsvFile(CsvFile):
    """The same of todos."""

    def add(self, row: Any) -> None:
        """Write one todo."""
        super().add(map(text, values(row).values()))
