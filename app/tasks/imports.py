"""Jobs that import todos: one looks at a file and changes nothing, the other adds what is in it."""

from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from app.errors import Invalid, NotFound
from app.services import exports, imports, undo
from app.services.imports_guess import cleaned, guess
from app.services.imports_preview import Preview
from app.tasks.declare import TRANSIENT, Run, job

NOBODY = "The person who asked for this import is gone."
PROBLEM_COLUMNS = ("row", "column", "value", "reason")


def same_file(owner_id: int | None, args: dict[str, Any]) -> str:
    """Make a second click return the active job: the same file, read in the same way."""
    return f"{owner_id}:{args['sha256'][:32]}:{sorted((args['mapping'] or {}).items())}"


@job(
    "todos.check_import",
    title="Look at an import",
    permission=("can_add", "Todo"),
    key=same_file,
    told=False,
    time_limit=1800,
)
def check_import(run: Run, file: int, sha256: str, mapping: dict[str, str] | None) -> dict[str, Any]:
    """Say what an import of the file would do, and keep a list of what is wrong with it; no todo is changed."""
    if run.owner is None:
        raise NotFound(NOBODY)
    reading = imports.Reading(run.owner, file)
    chosen = guess(reading.columns) if mapping is None else cleaned(mapping, reading.columns)
    preview = Preview(reading, chosen)
    if "title" not in chosen:
        return preview.result()
    reading.start(chosen)
    with exports.CsvFile("import-errors", PROBLEM_COLUMNS) as problems:
        for batch in run.batches(range(reading.count), size=imports.BATCH, resume=False):
            rows = reading.rows(batch)  # type: ignore[arg-type]
            preview.note(rows)
            problems.write([*map(str, one)] for row in rows for one in row.problems)
        kept = problems.keep(run.job_id, run.owner.id) if problems.count else None
        return preview.result() | {"problems": kept}


@job(
    "todos.import",
    title="Import todos",
    permission=("can_add", "Todo"),
    key=lambda owner_id, args: f"{owner_id}:{args['sha256'][:32]}",
    queue="bulk",
    time_limit=3600,
    retry_on=(*TRANSIENT, IntegrityError, StaleDataError),  # somebody added or changed the same at the same time
)
def import_todos(
    run: Run, file: int, sha256: str, mapping: dict[str, str], whole: bool, change: bool
) -> dict[str, Any]:
    """Add the todos of a file: all of them or none, or all that are good; those that are there stay, or change."""
    if run.owner is None:
        raise NotFound(NOBODY)
    reading = imports.Reading(run.owner, file)
    reading.start(cleaned(mapping, reading.columns))
    walk = run.whole if whole else run.batches
    for batch in walk(range(reading.count), size=imports.BATCH):
        rows = reading.rows(batch)  # type: ignore[arg-type]
        bad = [row for row in rows if row.problems]
        if bad and whole:
            raise Invalid(f"Row {bad[0].number}: {bad[0].problems[0].reason} Nothing was imported.")
        if "step" not in run.found:
            run.found["step"] = undo.begin(run.owner.id, "import", run.job_id)
        counts = imports.apply(run.owner, rows, run.found["step"], change)
        for name, count in {**counts._asdict(), "errors": len(bad)}.items():
            run.found[name] = run.found.get(name, 0) + count
    return run.found
