"""What an imported file is, found in its content and never in its name, and its text."""

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from app.errors import Invalid
from app.services.imports_guess import guess
from app.services.uploads import MARKUP

HEAD = 64 * 1024  # bytes that show what a file is
CHUNK = 1 << 20
LONGEST_ROW = 1_000_000  # characters
TOO_LONG = "Row {} is longer than a million characters: a quotation mark may be missing."
DELIMITERS = ",;\t"
TODOIST = {"TYPE", "CONTENT"}
KINDS = {
    "csv": ("CSV", "text/csv"),
    "todoist": ("Todoist’s CSV", "text/csv"),
    "jsonl": ("JSON Lines", "application/jsonl"),
    "icalendar": ("iCalendar", "text/calendar"),
}
ENCODINGS = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
UNKNOWN = "This is none of the formats that can be imported: CSV, JSON Lines, Todoist’s CSV or iCalendar."
EXCEL = "This is an Excel workbook or another archive. Save the table as CSV (UTF-8) and choose that file."
ARRAY = "This is one JSON array. Write each todo as an object on a line of its own (JSON Lines)."


@dataclass(frozen=True)
class Source:
    """What a file is: one of KINDS, how its text is encoded, and what separates the cells of a CSV."""

    kind: str
    encoding: str
    delimiter: str = ","

    @property
    def description(self) -> str:
        """Return what people read."""
        return f"{KINDS[self.kind][0]}, {ENCODINGS.get(self.encoding, 'Windows-1252')}"


def recognise(stream: BinaryIO) -> Source:
    """Return what a file is; the stream is rewound.

    Raises:
        Invalid: when it is empty, or nothing that can be imported.
    """
    stream.seek(0)
    head = stream.read(HEAD)
    if not head.strip(b"\xef\xbb\xbf\x00\t\r\n "):
        raise Invalid("This file is empty.")
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Invalid(EXCEL)
    encoding = _encoding(stream, head)
    with opened(stream, encoding) as text:
        start = text.read(HEAD // 4)
    stream.seek(0)
    return _kind(start, encoding)


class Lines:
    """The lines of a text; a row that goes on for ever is refused before it fills the memory."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self._size, self._row = text, 0, 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_ROW)
        self._size += len(line)
        if not line:
            raise StopIteration
        if self._size >= LONGEST_ROW:
            raise Invalid(TOO_LONG.format(self._row))
        return line

    def begin(self, row: int) -> None:
        """Say that a row begins."""
        self._size, self._row = 0, row


@contextmanager
def opened(stream: BinaryIO, encoding: str) -> Iterator[io.TextIOWrapper]:
    """Read a stream as text from its beginning, and leave it open."""
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding, newline="")
    try:
        yield text
    finally:
        with suppress(ValueError):  # whoever was not read to its end may be collected after the stream
            text.detach()


def _encoding(stream: BinaryIO, head: bytes) -> str:
    """Name the encoding: Unicode if the bytes are that, else what Windows programs write.

    Raises:
        Invalid: when the bytes are no text.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found = "utf-16"
    elif b"\x00" in head:
        found = "utf-16-le" if head.find(b"\x00") % 2 else "utf-16-be"
    else:
        found = "utf-8-sig"
    for encoding in (found, "cp1252") if b"\x00" not in head else (found,):
        if _decodes(stream, encoding):
            return encoding
    raise Invalid("This file is no text that can be read. Save it as CSV (UTF-8) and choose that file.")


def _decodes(stream: BinaryIO, encoding: str) -> bool:
    """Tell whether all bytes are text in this encoding, and the text has no characters that no text has."""
    decoder = codecs.getincrementaldecoder(encoding)()
    stream.seek(0)
    try:
        while data := stream.read(CHUNK):
            if "\x00" in decoder.decode(data):
                return False
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _kind(start: str, encoding: str) -> Source:
    """Tell the format by the first lines.

    Raises:
        Invalid: when it is none of ours.
    """
    begin = start.lstrip("\ufeff \t\r\n")
    if begin[:15].upper() == "BEGIN:VCALENDAR":
        return Source("icalendar", encoding)
    if begin.startswith("{"):
        return Source("jsonl", encoding)
    if begin.startswith("["):
        raise Invalid(ARRAY)
    if MARKUP.match(begin[:200].encode()):
        raise Invalid(UNKNOWN)
    headers = {delimiter: _header(start, delimiter) for delimiter in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda one: len(headers[one]))
    names = headers[delimiter]
    if set(names) >= TODOIST:
        return Source("todoist", encoding, delimiter)
    if not any(character.isalpha() for character in "".join(names)) or (len(names) == 1 and not guess(names)):
        raise Invalid(f"{UNKNOWN} The first line of a CSV names its columns.")
    return Source("csv", encoding, delimiter)


def _header(start: str, delimiter: str) -> list[str]:
    """Return the cells of the first line that is not blank."""
    try:
        rows = csv.reader(io.StringIO(start.lstrip("\ufeff"), newline=""), delimiter=delimiter)
        return [cell.strip() for cell in next((row for row in rows if any(map(str.strip, row))), [])]
    except csv.Error:
        return []
