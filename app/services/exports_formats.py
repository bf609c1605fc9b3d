"""Todos as JSON Lines, for programs, as XLSX, for people, and as iCalendar, for other lists of todos."""

import json

from app.models.todos import Todo
from app.services import calendars
from app.services.exports import File, TodosCsvFile, text, values
from app.services.exports_xlsx import XlsxFile


class JsonLinesFile(File):
    """One JSON object on each line (jsonlines.org): every value as it is, nothing escaped for spreadsheets."""

    extension, content_type = "jsonl", "application/jsonl"

    def add(self, row: Todo) -> None:
        """Write one todo."""
        self.bytes.write(json.dumps(values(row), ensure_ascii=False, default=text).encode() + b"\n")


class CalendarFile(File):
    """A calendar of tasks (RFC 5545)."""

    extension, content_type = "ics", "text/calendar"

    def begin(self) -> None:
        """Write the head."""
        head, self._tail = calendars.frame()
        self.bytes.write(head)

    def add(self, row: Todo) -> None:
        """Write one todo."""
        task = calendars.task_of(row)
        if row.notes:
            task.add("description", row.notes)
        task.add(calendars.NUMBER, row.id)  # an import finds the todo by it, and by its UID whether it is that one
        self.bytes.write(task.to_ical())

    def end(self) -> None:
        """Write the end."""
        self.bytes.write(self._tail)


FORMATS: dict[str, type[File]] = {"csv": TodosCsvFile, "jsonl": JsonLinesFile, "xlsx": XlsxFile, "ics": CalendarFile}
