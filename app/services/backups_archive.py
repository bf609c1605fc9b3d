"""The format of a backup: gzip-compressed lines of JSON, written and read as a stream, every byte under a checksum.

    {"backup": 1, "revision": "0001", "created_at": "2026-11-22T18:00:00+00:00", "database": "postgresql"}
    {"table": "ab_role", "columns": ["id", "name"]}
    [1, "Admin"]
    {"end": "ab_role", "rows": 1, "sha256": "..."}
    {"end": "backup", "rows": 1, "sha256": "..."}

The checksum of a table is that of its rows; the last one that of everything before it. Bytes are Base64.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from app.errors import Invalid

VERSION = 1
LEVEL = 1  # most of it are images and other compressed files, which a higher level does not make smaller
LONGEST_LINE = 64 << 20
Row = list[Any]


@dataclass
class Summary:
    """What a backup holds."""

    revision: str
    created_at: str
    database: str
    tables: dict[str, int] = field(default_factory=dict)
    sha256: str = ""

    @property
    def rows(self) -> int:
        """Return how many rows there are in all tables."""
        return sum(self.tables.values())


class Writer:
    """Writes a backup to a stream; what is not finished by `close` cannot be read."""

    def __init__(self, stream: IO[bytes], summary: Summary) -> None:
        self._gzip = gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=LEVEL, filename="", mtime=0)
        self._digest = hashlib.sha256()
        self.summary = summary
        facts = {"revision": summary.revision, "created_at": summary.created_at, "database": summary.database}
        self._line({"backup": VERSION} | facts)

    def table(self, name: str, columns: list[str], rows: Iterable[Row]) -> None:
        """Write a table."""
        self._line({"table": name, "columns": columns})
        digest, count = hashlib.sha256(), 0
        for row in rows:
            digest.update(self._line(row))
            count += 1
        self._line({"end": name, "rows": count, "sha256": digest.hexdigest()})
        self.summary.tables[name] = count

    def close(self) -> None:
        """Write the end."""
        self.summary.sha256 = self._digest.hexdigest()
        self._line({"end": "backup", "rows": self.summary.rows, "sha256": self.summary.sha256})
        self._gzip.close()

    def _line(self, value: Any) -> bytes:
        line = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        self._digest.update(line)
        self._gzip.write(line)
        return line


class Reader:
    """Reads a backup from a stream, table by table; whoever reads to the end knows that it is whole.

    Raises:
        Invalid: here and later, when it is no backup, of a later format, cut off or damaged.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._gzip = gzip.GzipFile(fileobj=stream, mode="rb")
        self._digest = hashlib.sha256()
        head = self._record(self._line())
        if head.get("backup") != VERSION:
            raise Invalid("This is no backup that this version of the application can read.")
        self.summary = Summary(str(head["revision"]), str(head["created_at"]), str(head["database"]))

    def tables(self) -> Iterator[tuple[str, list[str], Iterator[Row]]]:
        """Yield name, columns and rows of each table; the rows have to be read before the next one."""
        while True:
            before = self._digest.hexdigest()
            record = self._record(self._line())
            if "table" not in record:
                break
            yield record["table"], record["columns"], self._rows(record["table"])
        self._check(record.get("end") == "backup", "its end is missing")
        self._check((record["rows"], record["sha256"]) == (self.summary.rows, before), "its checksum is not right")
        self._check(self._read() == b"", "something follows its end")
        self.summary.sha256 = before

    def _rows(self, table: str) -> Iterator[Row]:
        digest, count = hashlib.sha256(), 0
        while (line := self._line()).startswith(b"["):
            yield self._parse(line)
            digest.update(line)
            count += 1
        record = self._record(line)
        self._check(record.get("end") == table, f"the end of table {table} is missing")
        expected = (record["rows"], record["sha256"])
        self._check(expected == (count, digest.hexdigest()), f"the checksum of table {table} is not right")
        self.summary.tables[table] = count

    def _line(self) -> bytes:
        line = self._read()
        self._check(line.endswith(b"\n"), "it ends too early")
        self._digest.update(line)
        return line

    def _read(self) -> bytes:
        try:
            return self._gzip.readline(LONGEST_LINE)
        except (OSError, EOFError, zlib.error) as error:
            raise Invalid(f"This is no backup, or it is damaged: {error}.") from error

    def _record(self, line: bytes) -> dict[str, Any]:
        found = self._parse(line)
        self._check(isinstance(found, dict), "a line is not what it should be")
        return dict(found)

    def _parse(self, line: bytes) -> Any:
        try:
            return json.loads(line)
        except ValueError as error:
            raise Invalid("This backup is damaged: a line cannot be read.") from error

    @staticmethod
    def _check(right: bool, problem: str) -> None:
        if not right:
            raise Invalid(f"This backup is damaged: {problem}.")
