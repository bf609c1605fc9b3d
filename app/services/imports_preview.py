"""What the page shows of a file before anything is imported."""

from collections.abc import Sequence
from typing import Any

from app.models.todos import PRIORITIES
from app.services.imports import Reading
from app.services.imports_guess import Mapping
from app.services.imports_values import Row

SHOWN = 20  # rows
EXCERPT = 200  # characters of the notes
REASONS = 5  # sentences
SHORT = 50  # characters of a value that cannot be read


class Preview:
    """Counts rows and keeps the first ones as they would be."""

    def __init__(self, reading: Reading, mapping: Mapping) -> None:
        self.facts = {"format": reading.source.description, "rows": reading.count, "columns": reading.columns}
        self.mapping = mapping
        self.counts = {"new": 0, "there": 0, "error": 0}
        self.first: list[dict[str, Any]] = []
        self.reasons: list[dict[str, Any]] = []
        self.problems = 0

    def note(self, rows: Sequence[Row]) -> None:
        """Take in the next rows."""
        for row in rows:
            self.counts[row.outcome] += 1
            if len(self.first) < SHOWN:
                self.first.append(_shown(row))
            self.problems += len(row.problems)
            for one in row.problems[: REASONS - len(self.reasons)]:
                self.reasons.append(
                    {"row": one.row, "column": one.column, "value": one.value[:SHORT], "reason": one.reason}
                )

    def result(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        counts = self.counts | {"mapping": self.mapping}
        unsaid = self.problems - len(self.reasons)
        return {**self.facts, **counts, "first": self.first, "reasons": self.reasons, "unsaid": unsaid}


def _shown(row: Row) -> dict[str, Any]:
    """Return a row as text."""
    fields = row.fields
    facts = {"number": row.number, "outcome": row.outcome, "title": fields.get("title", "")}
    facts |= {"notes": fields.get("notes", "")[:EXCERPT], "complete": fields.get("complete", False)}
    facts |= {"priority": PRIORITIES[fields["priority"]] if "priority" in fields else "normal"}
    facts |= {"due_on": fields["due_on"].isoformat() if fields.get("due_on") else ""}
    people = {name: ", ".join(row.names.get(name, ())) for name in ("owner", "assignees")}
    return facts | people | {"tags": fields.get("tags", []), "problems": [one.reason for one in row.problems]}
