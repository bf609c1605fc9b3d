"""Tasks (VTODO) of an iCalendar file, RFC 5545, one in memory at a time."""

from collections.abc import Iterator
from datetime import date
from textwrap import shorten
from typing import Any

from icalendar import Todo as Task

from app.services.calendars import NUMBER
from app.services.imports_read import Lines

# RFC 5545, section 3.8.1.9: 1 is the highest, 9 the lowest, 0 undefined
PRIORITIES = ("normal", "urgent", "urgent", "high", "high", "normal", "low", "low", "low", "low")
SINGLE = ("UID", "SUMMARY", "DESCRIPTION", NUMBER, "PRIORITY", "DUE", "COMPLETED", "CREATED", "LAST-MODIFIED", "STATUS")
MAIL = "mailto:"
LONGEST_REASON = 160  # characters


def tasks(lines: Lines) -> Iterator[dict[str, str] | str]:
    """Return each task as property -> text, or why it cannot be read."""
    task: list[str] = []
    number = 0
    for line in lines:
        word = line.strip().upper()
        if word == "BEGIN:VTODO":
            number += 1
            task = []
        if word == "BEGIN:VTODO" or not task:
            lines.begin(number)
        if task or word == "BEGIN:VTODO":
            task.append(line)
        if task and word == "END:VTODO":
            yield _read("".join(task))
            task = []
    if task:
        yield "does not end: END:VTODO is missing"


def _read(source: str) -> dict[str, str] | str:
    """Read one task."""
    try:
        task: Any = Task.from_ical(source)
        return _values(task)
    except ValueError as error:  # which says what it found there
        return shorten(f"is no task as RFC 5545 has it: {error}", LONGEST_REASON, placeholder=" …").rstrip(".")
    except (TypeError, KeyError, IndexError, AttributeError, OverflowError):
        return "is no task as RFC 5545 has it"


def _values(task: Any) -> dict[str, str]:
    """Return the properties that have a meaning here."""
    for name in SINGLE:
        if isinstance(task.get(name), list):
            raise ValueError(f"{name} is there more than once")
    found = {name: str(task.get(name, "")) for name in ("UID", "SUMMARY", "DESCRIPTION", NUMBER)}
    level = int(task.get("PRIORITY", 0))
    found["PRIORITY"] = PRIORITIES[level] if 0 <= level <= 9 else str(level)
    found["DUE"] = _day(task.get("DUE"))
    for name in ("COMPLETED", "CREATED", "LAST-MODIFIED"):
        found[name] = _instant(task.get(name))
    status = str(task.get("STATUS", "COMPLETED" if found["COMPLETED"] else ""))
    found["COMPLETE"] = "yes" if status.upper() in ("COMPLETED", "CANCELLED") else "no"
    found["CATEGORIES"] = ", ".join(_several(task.get("CATEGORIES")))
    found["ATTENDEE"] = ", ".join(_mail(str(one)) for one in _listed(task.get("ATTENDEE")))
    if organizer := task.get("ORGANIZER"):
        found["ORGANIZER"] = _mail(str(organizer))
    return found


def _listed(value: Any) -> list[Any]:
    """Return the values of a property that may occur several times."""
    return [] if value is None else value if isinstance(value, list) else [value]


def _several(value: Any) -> list[str]:
    """Return all categories."""
    return [str(word) for one in _listed(value) for word in one.cats]


def _day(value: Any) -> str:
    """Return the day of a date or an instant, as it is written there."""
    found = getattr(value, "dt", None)
    return found.isoformat()[:10] if isinstance(found, date) else str(value or "")


def _instant(value: Any) -> str:
    """Return an instant, with its offset if it has one; some programs give a day only."""
    found = getattr(value, "dt", None)
    return found.isoformat() if isinstance(found, date) else str(value or "")


def _mail(address: str) -> str:
    """Return the address of a person."""
    return address[len(MAIL) :] if address.lower().startswith(MAIL) else address
