"""Jobs that import todos: one looks at a file and changes nothing, the other adds what is in it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from app.db import held
from app.errors import Invalid
from app.models.users import User
from app.services import exports, imports, imports_staged, undo
from app.services.imports_guess import cleaned, guess
from app.services.imports_preview import Preview
from app.services.imports_values import Problem, Row
from app.tasks.declare import TRANSIENT, Run, job

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
    owner = run.starter
    reading = imports.Reading(owner, file)
    chosen = guess(reading.columns) if mapping is None else cleaned(mapping, reading.columns)
    preview = Preview(reading, chosen)
    if "title" not in chosen:
        return preview.result()
    reading.start(chosen)
    with exports.CsvFile("import-errors", PROBLEM_COLUMNS) as problems:
        for batch in run.batches(range(reading.count), size=imports.BATCH, resume=False):
            rows = reading.rows(batch)  # type: ignore[arg-type]
            preview.note(rows)
            _note(rows, problems)
        kept = problems.keep(run.job_id, owner.id) if problems.count else None
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
    run: Run, file: int, sha256: str, mapping: dict[str, str], whole: bool, change: bool, looked: int | None = None
) -> dict[str, Any]:
    """Add the todos of a file: all of them or none, or all that are good; those that are there stay, or change.

    Args:
        looked: the look at the file that said so; its page is where to go on from if this one does not end well.
    """
    owner = run.starter
    reading = imports.Reading(owner, file)
    reading.start(cleaned(mapping, reading.columns))
    with exports.CsvFile("import-errors", PROBLEM_COLUMNS) as problems:
        _again(reading, run.done, problems)
        for batch in run.batches(range(reading.count), size=imports.BATCH):
            rows = reading.rows(batch)  # type: ignore[arg-type]
            bad = _note(rows, problems)
            if bad and whole:
                raise Invalid(f"Row {bad[0].row}: {bad[0].reason} Nothing was imported.")
            imports_staged.keep(run.job_id, rows)
            if not whole:
                _write(run, owner, change, len({one.row for one in bad}))
        if whole:
            with held():  # it is committed with the end of the job, or not at all
                _write(run, owner, change)
        kept = problems.keep(run.job_id, owner.id) if problems.count else None
        return run.found | {"problems": kept}


def _note(rows: Sequence[Row], problems: exports.CsvFile) -> list[Problem]:
    """Add what is wrong with rows to the list of it, and return it."""
    found = [one for row in rows for one in row.problems]
    problems.write([*map(str, one)] for one in found)
    return found


def _again(reading: imports.Reading, done: int, problems: exports.CsvFile) -> None:
    """List what was wrong with rows that an earlier attempt has behind it: its list was lost with it."""
    for start in range(0, done, imports.BATCH):
        _note(reading.rows(range(start, min(start + imports.BATCH, done))), problems)


def _write(run: Run, owner: User, change: bool, errors: int = 0) -> None:
    """Write the rows that are kept, and count them."""
    if "step" not in run.found:
        run.found["step"] = undo.begin(owner.id, "import", run.job_id)
    counts = imports_staged.write(owner, run.job_id, run.found["step"], change)
    for name, count in {**counts._asdict(), "errors": errors}.items():
        run.found[name] = run.found.get(name, 0) + count
