"""CSV that spreadsheets read without executing it."""

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from app.db import utcnow
from app.extensions import db
from app.models.todos import Todo
from app.models.users import User
from app.services import attachments
from app.services.todos_rules import visible_to

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
)
# a spreadsheet takes a cell for a formula that starts so, also in full width and behind blanks (OWASP, CSV injection)
FORMULA = re.compile(r"['\t\r\n]|[\s\x00-\x1f\u200b\u200e\u200f\ufeff]*[=+\-@＝＋－＠]")
SPOOL_BYTES = 1 << 20


def safe_cell(value: str) -> str:
    """Put an apostrophe before what a spreadsheet would execute, and before an apostrophe, so that it can be undone."""
    if FORMULA.match(value):
        return "'" + value
    return value


def rows(viewer: User, ids: Sequence[int]) -> Iterable[list[str]]:
    """Return the cells of these todos, as far as the viewer may see them, in the order of their ids."""
    statement = (
        select(Todo)
        .where(visible_to(viewer), Todo.id.in_(ids))
        .options(joinedload(Todo.owner), selectinload(Todo.assignees))
        .order_by(Todo.id)
    )
    for todo in db.session.scalars(statement.execution_options(populate_existing=True)):
        yield _cells(todo)
        db.session.expunge(todo)


def _cells(todo: Todo) -> list[str]:
    """Return the values of `COLUMNS` as text, instants in ISO 8601."""
    return [
        str(todo.id),
        todo.title,
        todo.notes,
        todo.priority_name,
        todo.due_on.isoformat() if todo.due_on else "",
        "yes" if todo.complete else "no",
        todo.completed_at.isoformat() if todo.completed_at else "",
        todo.owner.username,
        ", ".join(user.username for user in todo.assignees),
        todo.created_at.isoformat(),
        todo.updated_at.isoformat(),
    ]


class CsvFile:
    """A CSV file that grows on disk until it is kept in the database."""

    def __init__(self, name: str = "todos", columns: Sequence[str] = COLUMNS) -> None:
        self.count = 0
        self._name = name
        self._bytes = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115, closed by __exit__
        # Excel takes UTF-8 for what it is only with the byte order mark
        self._text = io.TextIOWrapper(self._bytes, "utf-8-sig", newline="")
        self._writer = csv.writer(self._text)
        self._writer.writerow(columns)

    def __enter__(self) -> "CsvFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._text.close()

    def write(self, cells: Iterable[list[str]]) -> None:
        """Add rows, so that a spreadsheet executes nothing of them."""
        for row in cells:
            self._writer.writerow(map(safe_cell, row))
            self.count += 1

    def keep(self, job_id: int, owner_id: int) -> int:
        """Store the file as the job's result within the present transaction and return the attachment's id."""
        self._text.flush()
        self._bytes.seek(0)
        name = f"{self._name}-{utcnow():%Y-%m-%d}.csv"
        stored: Any = attachments.store(self._bytes, name, "text/csv", uploader_id=owner_id, job_id=job_id)  # type: ignore[arg-type]
        return int(stored.id)
