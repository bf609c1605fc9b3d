"""What a job was about and what came of it, in words and links, for its page."""

from typing import Any

from app.models.jobs import Job
from app.models.todos import PRIORITIES
from app.security import viewer
from app.services import jobs_parts, todos_selection, undo
from app.services.todos_changes import CHANGES
from app.tasks.declare import add_up
from app.tasks.imports import import_todos
from app.tasks.todos import CHANGE_JOBS, undo_todos
from app.views.pages import counted
from app.views.selections import described, list_of
from app.views.selections_forms import FORMATS as FORMAT_CHOICES

DONE = {spec.name: CHANGES[name].done for name, spec in CHANGE_JOBS.items()} | {undo_todos.name: "made what they were"}
FORMATS = {choice.value: choice.label.partition(",")[0] for choice in FORMAT_CHOICES}
LEFT_ALONE = {
    "stale": "somebody changed them meanwhile",
    "same": "there was nothing to change",
    "forbidden": "gone, or not yours to change",
}


def about(job: Job) -> dict[str, Any]:
    """Return which todos a job works on, what became of them, and how to undo it; its template says the rest."""
    found: dict[str, Any] = {"sentences": [], "selection": None, "step_id": None}
    found["value"] = readable(job.args.get("value"))
    facts = job.args.get("selection") or {}
    if "wanted" in facts and job.parent_id is None:
        selection = todos_selection.of(facts)
        found["selection"] = (described(selection), list_of(selection))
    found["format"] = FORMATS.get(job.args.get("kind", ""))
    # what is run again asks no question: it must not delete what matches by now
    found["repeats"] = job.is_final and not job.parent_id and not (job.name in DONE and job.status == "succeeded")
    if job.name in DONE and job.is_final:
        result = job.result
        if result is None and job.parts_total:  # what was done before it was cancelled
            result = add_up([part.result for part in jobs_parts.of(job.id) if part.result])
        found["sentences"] = sentences(job.name, result or {}) if result is not None else []
    if job.is_final and job.name in (*DONE, import_todos.name):
        found["step_id"] = undo.of_job(viewer(), job.id)
    return found


def readable(value: Any) -> str:
    """Return the value of a change as people know it: a priority, a date, people, or tags that come and go."""
    if isinstance(value, dict):
        words = [
            f"{verb} {', '.join(value[name])}" for name, verb in (("add", "add"), ("remove", "take off")) if value[name]
        ]
        return "; ".join(words)
    if isinstance(value, int):
        return PRIORITIES[value].capitalize()
    return ", ".join(value) if isinstance(value, list) else value or ""


def sentences(name: str, result: dict[str, Any]) -> list[str]:
    """Return what became of how many todos."""
    found = [counted(result.get("changed", 0), DONE[name])]
    return found + [counted(result[why], f"left alone: {text}") for why, text in LEFT_ALONE.items() if result.get(why)]
