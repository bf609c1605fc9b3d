"""Todos as XLSX, for people."""

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import xlsxwriter

from app.errors import Invalid
from app.models.todos import Todo
from app.services.exports import COLUMNS, File, text, values

MOST_ROWS = 1_048_575  # of a sheet, below its head
LONGEST_CELL = 32_767  # characters
FIRST_YEAR = 1900  # that a sheet has dates of
WIDTHS = {"title": 50, "notes": 50, "due_on": 12, "completed_at": 20, "created_at": 20, "updated_at": 20}


class XlsxFile(File):
    """A workbook with one sheet; a row is in memory at a time, and text is text, whatever it begins with."""

    extension = "xlsx"
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def begin(self) -> None:
        """Write the head."""
        self._folder = tempfile.TemporaryDirectory()
        options = {"constant_memory": True, "tmpdir": self._folder.name, "use_zip64": True}
        self._path = Path(self._folder.name) / "book.xlsx"
        self._book = xlsxwriter.Workbook(str(self._path), options)
        self._sheet = self._book.add_worksheet("Todos")
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._instant = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        head = self._book.add_format({"bold": True})
        self._sheet.freeze_panes(1, 0)
        for place, name in enumerate(COLUMNS):
            self._sheet.set_column(place, place, WIDTHS.get(name, 14))
            self._sheet.write_string(0, place, name, head)

    def add(self, row: Todo) -> None:
        """Write one todo.

        Raises:
            Invalid: when the sheet is full.
        """
        if self.count == MOST_ROWS:
            raise Invalid(f"A sheet has room for {MOST_ROWS:,} todos. Export them as CSV or JSON Lines.")
        for place, value in enumerate(values(row).values()):
            self._cell(self.count + 1, place, value)

    def _cell(self, line: int, place: int, value: Any) -> None:
        """Write a value as what it is; instants in UTC, since a sheet knows no time zones."""
        if isinstance(value, datetime) and value.year >= FIRST_YEAR:
            self._sheet.write_datetime(line, place, value.astimezone(UTC).replace(tzinfo=None), self._instant)
        elif isinstance(value, date) and value.year >= FIRST_YEAR:
            self._sheet.write_datetime(line, place, value, self._day)
        elif isinstance(value, int) and not isinstance(value, bool):
            self._sheet.write_number(line, place, value)
        elif value is not None:
            self._sheet.write_string(line, place, text(value)[:LONGEST_CELL])

    def end(self) -> None:
        """Put the workbook together."""
        self._sheet.autofilter(0, 0, max(self.count, 1), len(COLUMNS) - 1)
        self._book.close()
        self.bytes.close()
        self.bytes = self._path.open("rb")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        super().__exit__(kind, error, at)
        if not self._book.fileclosed:  # something went wrong
            self._book.close()
        self._folder.cleanup()
