"""The job that empties a large trash."""

from datetime import datetime
from typing import Any

from app.errors import NotFound
from app.services import attachments, trash_purge
from app.tasks.declare import Run, job

IDS_AT_ONCE = 1000


@job("trash.empty", title="Empty the trash", permission=("can_purge", "Trash"), time_limit=3600)
def empty_trash(run: Run, until: str, first: int, last: int, scope: str = "mine") -> dict[str, Any]:
    """Delete for ever what was in the trash when the job's owner asked for it: their own, or all that they may."""
    if run.owner is None:
        raise NotFound("The person whose trash this is is gone.")
    count = 0
    for ids in run.batches(range(first, last + 1), size=IDS_AT_ONCE):
        count += trash_purge.empty_part(run.owner, scope, datetime.fromisoformat(until), ids)
    attachments.sweep_lost()
    return {"deleted": count}
