"""Jobs that work on todos."""

from typing import Any

from app.services import exports, exports_archive, todos_changes, todos_selection, undo
from app.services.exports_formats import FORMATS
from app.services.todos_changes import CHANGES
from app.tasks.declare import TRANSIENT, Part, Run, Spec, job

PART = 500  # todos


@job(
    "todos.export",
    title="Export todos",
    permission=("can_export", "Todo"),
    queue=lambda args: "interactive" if "ids" in args["selection"] else "bulk",
    time_limit=1800,
    retry_on=(*TRANSIENT, OSError),  # an attachment was removed while it was read
)
def export_todos(run: Run, selection: dict[str, Any], kind: str = "csv", with_files: bool = False) -> dict[str, Any]:
    """Write the selected todos, as far as the starter may see them then, to a file kept with the job."""
    viewer, chosen = run.starter, todos_selection.of(selection)
    ids = todos_selection.ids(viewer, chosen)
    if with_files:
        exports_archive.check_size(todos_selection.which(viewer, chosen))
    inner = FORMATS[kind]()
    with exports_archive.Archive(inner) if with_files else inner as file:
        for batch in run.batches(ids, size=PART, resume=False):
            file.write(exports.rows(viewer, batch))
        return {"todos": file.count, "attachment_id": file.keep(run.job_id, viewer.id)}


def _change_job(name: str) -> Spec:
    """Declare the job that does a change to a selection."""

    def plan(run: Run, selection: dict[str, Any], value: Any = None) -> list[Part]:
        """Find what matches now; the parts leave alone what somebody else changes until they come to it."""
        viewer = run.starter
        rows = todos_selection.versions(viewer, todos_selection.of(selection))
        step_id = undo.begin(viewer.id, name, run.job_id)
        pieces = [rows[start : start + PART] for start in range(0, len(rows), PART)]
        return [Part({"rows": piece, "step_id": step_id}, rows=len(piece)) for piece in pieces]

    def work(run: Run, selection: dict[str, Any], rows: Any, step_id: int, value: Any = None) -> dict[str, Any]:
        """Change some hundred todos."""
        for batch in run.batches(rows, size=PART):
            run.found |= todos_changes.in_part(run.starter, name, dict(batch), value, step_id)
        return run.found

    change = CHANGES[name]
    facts = {"title": f"{change.title} todos", "permission": change.permission}
    return job(f"todos.{name}", queue="bulk", plan=plan, **facts)(work)


CHANGE_JOBS = {name: _change_job(name) for name in CHANGES}


def plan_undo(run: Run, step_id: int) -> list[Part]:
    """Find what a step changed."""
    undo.action_of(run.starter, step_id)
    ids = undo.todo_ids(step_id)
    pieces = [ids[start : start + PART] for start in range(0, len(ids), PART)]
    return [Part({"ids": piece}, rows=len(piece)) for piece in pieces]


@job("todos.undo", title="Undo a change of todos", permission=("can_list", "Todo"), queue="bulk", plan=plan_undo)
def undo_todos(run: Run, step_id: int, ids: list[int]) -> dict[str, Any]:
    """Make some hundred todos what they were, unless somebody changed them since."""
    for batch in run.batches(ids, size=PART):
        changed = undo.take_back_some(run.starter, step_id, list(batch))
        run.found |= {"changed": changed, "stale": len(batch) - changed}
    return run.found
