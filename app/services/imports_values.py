"""From the texts of a row to the values of a todo; nothing here asks the database."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import MINYEAR, UTC, date, datetime
from typing import Any, NamedTuple

from app.db import utcnow
from app.errors import AppError
from app.models.todos import NORMAL, PRIORITIES
from app.services import tags
from app.services.calendars import NUMBER
from app.services.imports_formats import Record
from app.services.imports_guess import Mapping

LONGEST_TITLE, LONGEST_NOTES = 200, 20_000  # characters, as the forms have it
NUMERIC = re.compile(r"[0-9]{1,9}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
YES = {"yes", "y", "true", "1", "x", "done", "complete", "completed", "closed", "finished", "cancelled"}
NO = {"", "no", "n", "false", "0", "open", "todo", "to do", "incomplete", "needs-action", "in-process"}
# what makes a row the same one when it has no number: all but what changes as work goes on
CONTENT = ("title", "notes", "due_on", "owner", "assignees")


class Problem(NamedTuple):
    """Why a row cannot be imported."""

    row: int
    column: str
    value: str
    reason: str


@dataclass
class Row:
    """A row as the todo that it would be.

    Args:
        number: in the file.
        key: the same in each file that has this row.
        fields: values of the columns that the file has.
        names: the people that it names, by field.
        origin: number of the todo that it was exported from, with its instant of creation or its UID in calendars.
        problems: why it cannot be imported.
        todo_id: the todo that is there already.
    """

    number: int
    key: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    origin: tuple[int, datetime | str] | None = None
    problems: list[Problem] = field(default_factory=list)
    todo_id: int | None = None

    @property
    def outcome(self) -> str:
        """Return "error", "there" or "new"."""
        return "error" if self.problems else "there" if self.todo_id else "new"


class Refused(ValueError):
    """A value cannot be used; the sentence says why."""


def read(record: Record, mapping: Mapping, owner_id: int) -> Row:
    """Return the todo that a row would be, with everything that is wrong with it.

    Args:
        owner_id: whoever imports it; the same row is another one in another person's import.
    """
    row = Row(record.number)
    if record.problem:
        row.problems.append(Problem(record.number, "", "", f"The row {record.problem}."))
        return row
    texts = {name: record.values.get(column, "") for name, column in mapping.items()}
    for name, convert in CONVERTERS.items():
        if name in texts or name == "title":
            try:
                row.fields[name] = convert(texts.get(name, ""))
            except Refused as error:
                column = mapping.get(name, "")
                row.problems.append(Problem(row.number, column, texts.get(name, ""), str(error)))
    _complete(row.fields)
    for name in ("owner", "assignees"):
        if name in texts:
            row.names[name] = [one.strip() for one in re.split(r"[,;\n]", texts[name]) if one.strip()]
    _identify(row, texts, record.values.get(NUMBER, ""), owner_id)
    return row


def _complete(fields: dict[str, Any]) -> None:
    """Let the instant of completion and the tick agree."""
    if "complete" not in fields and fields.get("completed_at"):
        fields["complete"] = True
    if not fields.get("complete") or fields.get("completed_at") is None:
        fields.pop("completed_at", None)


def _identify(row: Row, texts: dict[str, str], ours: str, owner_id: int) -> None:
    """Find what makes the row the same one in the next file; `ours` is the number in a calendar of this site."""
    number, created = texts.get("id", "").strip(), row.fields.get("created_at")
    if NUMERIC.fullmatch(number) and created:
        row.origin = (int(number), created)
    elif NUMERIC.fullmatch(ours):
        row.origin = (int(ours), number)
    if number:
        parts = ["id", number, created.isoformat() if NUMERIC.fullmatch(number) and created else ""]
    else:
        parts = ["content", *(" ".join(texts.get(name, "").split()) for name in CONTENT)]
    row.key = hashlib.sha256("\n".join([str(owner_id), *parts]).encode()).hexdigest()


def _title(text: str) -> str:
    text = text.strip()
    if not text:
        raise Refused("A todo needs a title.")
    if len(text) > LONGEST_TITLE:
        raise Refused(f"A title has at most {LONGEST_TITLE} characters, this one has {len(text)}.")
    if CONTROL.search(text) or "\n" in text:
        raise Refused("A title is one line without invisible control characters.")
    return text


def _notes(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > LONGEST_NOTES:
        raise Refused(f"Notes have at most {LONGEST_NOTES:,} characters, these have {len(text):,}.")
    if CONTROL.search(text):
        raise Refused("There are invisible control characters in these notes.")
    return text


def _priority(text: str) -> int:
    word = text.strip().lower()
    if word and word not in PRIORITIES:
        raise Refused(f"There is no such priority: write {', '.join(PRIORITIES[:3])} or {PRIORITIES[3]}.")
    return PRIORITIES.index(word) if word else NORMAL


def _day(text: str) -> date | None:
    word = text.strip()
    try:
        return datetime.fromisoformat(word).date() if word else None
    except ValueError:
        raise Refused("This is no date: write it as 2030-12-31.") from None


def _tick(text: str) -> bool:
    word = text.strip().lower()
    if word not in YES | NO:
        raise Refused("This is neither yes nor no.")
    return word in YES


def _instant(text: str) -> datetime | None:
    word = text.strip()
    try:
        found = datetime.fromisoformat(word) if word else None
    except ValueError:
        raise Refused("This is no instant: write it as 2030-12-31T23:59:00+00:00.") from None
    if found is None:
        return None
    try:
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise Refused("This instant is too far away.") from None
    if found.year == MINYEAR:  # it would be the year 0 west of Greenwich
        raise Refused("This instant is too far away.")
    if found > utcnow():
        raise Refused("This instant has not come yet.")
    return found


def _tag_names(text: str) -> list[str]:
    try:
        return tags.split(text)
    except AppError as error:
        raise Refused(error.message) from None


CONVERTERS: dict[str, Callable[[str], Any]] = {
    "title": _title,
    "notes": _notes,
    "priority": _priority,
    "due_on": _day,
    "complete": _tick,
    "completed_at": _instant,
    "tags": _tag_names,
    "created_at": _instant,
    "updated_at": _instant,
}
