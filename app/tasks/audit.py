"""Jobs that work on the audit trail."""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from app.errors import NotFound
from app.extensions import db
from app.models.audit import AuditEntry
from app.services import audit_names, audit_reading, audit_sentences, exports
from app.tasks.declare import Run, job

COLUMNS = (
    "id",
    "at",
    "who",
    "what",
    "kind",
    "action",
    "entity",
    "row",
    "version",
    "changes",
    "request",
    "job",
    "address",
)


def rows(entries: list[AuditEntry]) -> Iterable[list[str]]:
    """Return the cells of entries; instants in ISO 8601, changes as JSON."""
    names = audit_names.names(entries)
    for entry in entries:
        what = (audit_sentences.who(entry, names), audit_sentences.sentence(entry, names))
        about = (entry.kind, entry.action, entry.entity, entry.row_id, entry.version)
        changes = json.dumps(entry.changes, ensure_ascii=False) if entry.changes else ""
        cells = (entry.id, entry.at.isoformat(), *what, *about, changes, entry.request_id, entry.job_id, entry.address)
        yield ["" if cell is None else str(cell) for cell in cells]
        db.session.expunge(entry)


@job("audit.export", title="Export the audit trail as CSV", permission=("can_export", "Audit"), time_limit=1800)
def export_audit(run: Run, since: str = "", until: str = "", **filters: Any) -> dict[str, Any]:
    """Write the wanted entries, as far as the starter may see them, to a CSV file kept with the job."""
    if run.owner is None:
        raise NotFound("The person who asked for this export is gone.")
    first, last = (date.fromisoformat(text) if text else None for text in (since, until))
    wanted = audit_reading.Wanted(**filters, since=first, until=last)
    with exports.CsvFile("audit", COLUMNS) as file:
        for ids in run.batches(audit_reading.bounds(run.owner, wanted), size=1000, resume=False):
            file.write(rows(audit_reading.between(run.owner, wanted, ids)))
        return {"entries": file.count, "attachment_id": file.keep(run.job_id, run.owner.id)}
