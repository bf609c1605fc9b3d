"""Jobs that work on todos."""

from typing import Any

from app.errors import NotFound
from app.services import exports
from app.tasks.declare import Run, job


@job("todos.export", title="Export todos as CSV", permission=("can_export", "Todo"), time_limit=600)
def export_todos(run: Run, ids: list[int]) -> dict[str, Any]:
    """Write the chosen todos, as far as the starter may see them then, to a CSV file kept with the job."""
    if run.owner is None:
        raise NotFound("The person who asked for this export is gone.")
    with exports.CsvFile() as file:
        for batch in run.batches(sorted(set(ids)), size=500, resume=False):
            file.write(exports.rows(run.owner, batch))
        return {"todos": file.count, "attachment_id": file.keep(run.job_id, run.owner.id)}
