"""Jobs that work on todos."""

from typing import Any

from app.errors import NotFound
from app.services import exports, todos_selection
from app.services.exports_formats import FORMATS
from app.tasks.declare import Run, job


@job("todos.export", title="Export todos", permission=("can_export", "Todo"), time_limit=1800)
def export_todos(run: Run, selection: dict[str, Any], kind: str = "csv") -> dict[str, Any]:
    """Write the selected todos, as far as the starter may see them then, to a file kept with the job."""
    if run.owner is None:
        raise NotFound("The person who asked for this export is gone.")
    ids = todos_selection.ids(run.owner, todos_selection.of(selection))
    with FORMATS[kind]() as file:
        for batch in run.batches(ids, size=500, resume=False):
            file.write(exports.rows(run.owner, batch))
        return {"todos": file.count, "attachment_id": file.keep(run.job_id, run.owner.id)}
