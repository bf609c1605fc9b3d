"""The rows of an imported file, one at a time, whatever the format: column -> text."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

from app.errors import Invalid
from app.models.todos import PRIORITIES
from app.services.exports import FORMULA
from app.services.imports_calendar import tasks
from app.services.imports_read import Lines, Source, opened

MOST_ROWS = 200_000
MOST_COLUMNS = 100
LABEL = re.compile(r"(?:^|\s)@(\S+)")
PERSON_ID = re.compile(r"\s*\(\d+\)\s*$")
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?!\d)")


class Record(NamedTuple):
    """A row as the file has it."""

    number: int  # as a spreadsheet or an editor counts it
    values: dict[str, str]
    problem: str = ""  # why it cannot be read


def records(stream: BinaryIO, source: Source) -> Iterator[Record]:
    """Read a file row by row.

    Raises:
        Invalid: when there are too many.
    """
    with opened(stream, source.encoding) as text:
        for count, record in enumerate(READERS[source.kind](Lines(text), source)):
            if count == MOST_ROWS:
                raise Invalid(f"This file has more than {MOST_ROWS:,} rows. Split it.")
            yield record


def survey(stream: BinaryIO, source: Source) -> tuple[int, list[str]]:
    """Return how many rows there are, and the names of all columns.

    Raises:
        Invalid: when there are none.
    """
    count, columns = 0, dict[str, None]()
    for record in records(stream, source):
        count += 1
        if len(columns) < MOST_COLUMNS:
            columns |= dict.fromkeys(record.values)
    if not count:
        raise Invalid("There is no todo in this file.")
    return count, list(columns)[:MOST_COLUMNS]


def _csv(lines: Lines, source: Source) -> Iterator[Record]:
    """Read a table whose first row names the columns."""
    names: list[str] = []
    for number, cells in _rows(lines, source.delimiter):
        if isinstance(cells, str):
            yield Record(number, {}, cells)
        elif not any(cell.strip() for cell in cells):
            continue
        elif not names:
            names = _unique(cell.strip().lstrip("\ufeff") for cell in cells)
        elif any(cells[len(names) :]):
            yield Record(number, {}, "has more cells than the first line: a quotation mark may be missing")
        else:
            yield Record(number, dict(zip(names, map(_undone, cells), strict=False)))


def _rows(lines: Lines, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Return the number of each row with its cells, or with why it cannot be read."""
    reader, number = csv.reader(lines, delimiter=delimiter), 0
    while True:
        number += 1
        lines.begin(number)
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"cannot be read ({error}): a quotation mark may be missing"


def _unique(names: Iterable[str]) -> list[str]:
    """Name columns that have no name, or another one's."""
    found: list[str] = []
    for place, name in enumerate(names, start=1):
        free = name or f"Column {place}"
        found.append(f"{free} ({place})" if free in found else free)
    return found


def _undone(cell: str) -> str:
    """Take the apostrophe away that keeps spreadsheets from executing a cell, see `exports.safe_cell`."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell[1:]) else cell


def _json_lines(lines: Lines, _source: Source) -> Iterator[Record]:
    """Read objects, one on each line."""
    for number, line in enumerate(lines, start=1):
        lines.begin(number + 1)
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            yield Record(number, {}, "is no JSON")
            continue
        if not isinstance(found, dict):
            yield Record(number, {}, "is no JSON object")
            continue
        values = {name: _text(value) for name, value in found.items()}
        yield Record(number, values) if _is_text(values) else Record(number, {}, "has characters that no text has")


def _is_text(values: dict[str, str]) -> bool:
    """Tell whether names and values can be stored: JSON can spell halves of characters, and none at all."""
    text = "".join(chain.from_iterable(values.items()))
    try:
        return "\x00" not in text and text.encode() is not None
    except UnicodeEncodeError:
        return False


def _text(value: Any) -> str:
    """Return a value of JSON as the cell of a table."""
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _todoist(lines: Lines, source: Source) -> Iterator[Record]:
    """Read tasks; a note belongs to the task above it, sections are left out."""
    task: Record | None = None
    for record in chain(_csv(lines, source), [None]):
        kind = record.values.get("TYPE", "").strip().lower() if record and not record.problem else ""
        if task is not None and record is not None and kind == "note":
            notes = [task.values["DESCRIPTION"], record.values.get("CONTENT", "").strip()]
            task.values["DESCRIPTION"] = "\n\n".join(filter(None, notes))
            continue
        if task is not None:
            yield task
        task = Record(record.number, _of_todoist(record.values)) if record and kind == "task" else None
        if record is not None and record.problem:
            yield record


def _of_todoist(values: dict[str, str]) -> dict[str, str]:
    """Return a task of Todoist in our words; what it says of a date that is none stays in the notes."""
    content, day = values.get("CONTENT", ""), values.get("DATE", "").strip()
    found, notes = ISO_DAY.match(day), [values.get("DESCRIPTION", "").strip()]
    if day and not found:
        notes.append(f"Date in Todoist: {day}")
    level = values.get("PRIORITY", "").strip()
    return {
        "CONTENT": LABEL.sub("", content).strip() or content.strip(),
        "DESCRIPTION": "\n\n".join(filter(None, notes)),
        "PRIORITY": PRIORITIES[int(level) - 1] if level in ("1", "2", "3", "4") else level,
        "DATE": found[0] if found else "",
        "RESPONSIBLE": PERSON_ID.sub("", values.get("RESPONSIBLE", "")),
        "Labels": ", ".join(LABEL.findall(content)),
    }


def _calendar(lines: Lines, _source: Source) -> Iterator[Record]:
    """Read the tasks of a calendar."""
    for number, found in enumerate(tasks(lines), start=1):
        yield Record(number, {}, found) if isinstance(found, str) else Record(number, found)


READERS: dict[str, Callable[[Lines, Source], Iterator[Record]]] = {
    "csv": _csv,
    "todoist": _todoist,
    "jsonl": _json_lines,
    "icalendar": _calendar,
}
