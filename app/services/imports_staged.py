"""Rows of an import on their way: kept aside first, then written by a few statements, however many they are.

So an import that is all or nothing keeps others from saving for as long as these statements take only, and none of its
rows is seen before its end. Its batches can be taken up again as those of any job.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Integer,
    String,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.orm import selectinload

from app.db import hold, transaction, utcnow
from app.errors import Denied
from app.extensions import db
from app.models.imports import ImportRow
from app.models.jobs import FINAL, Job
from app.models.tags import Tag, tag_key, todo_tags
from app.models.todos import NORMAL, Todo, todo_assignees
from app.models.users import User
from app.services import audit, tags, todos, undo
from app.services.imports_values import Row
from app.services.todos_rules import changeable_by, may_delete

BATCH = 500  # rows
TEXTS = ("title", "notes", "priority", "due_on", "complete", "completed_at")
COLUMNS = (*TEXTS, "owner_id", "created_at", "updated_at")


class Counts(NamedTuple):
    """What became of rows."""

    added: int = 0
    updated: int = 0
    there: int = 0


def keep(job_id: int, rows: Sequence[Row]) -> None:
    """Keep the rows that are good, within the present transaction."""
    now = utcnow()
    if kept := [_kept(job_id, row, now) for row in rows if not row.problems]:
        db.session.execute(insert(ImportRow), kept)


def _kept(job_id: int, row: Row, now: Any) -> dict[str, Any]:
    """Return the columns of a row that is kept."""
    fields = row.fields
    complete, names = fields.get("complete", False), fields.get("tags", [])
    todo = {
        "title": fields["title"],
        "notes": fields.get("notes", ""),
        "priority": fields.get("priority", NORMAL),
        "due_on": fields.get("due_on"),
        "complete": complete,
        "completed_at": fields.get("completed_at", now) if complete else None,
        "owner_id": fields["owner_id"],
    }
    people = fields.get("assignees", [])
    return todo | {
        "job_id": job_id,
        "number": row.number,
        "key": row.key,
        "todo_id": row.todo_id,
        "given": list(fields),
        "created_at": fields.get("created_at") or now,
        "updated_at": fields.get("updated_at") or now,
        "assignees": people,
        "tag_names": names,
        "tag_keys": [tag_key(name) for name in names],
        "trail": json.dumps(audit.of_new("todos", todo, {"assignees": people}), ensure_ascii=False),
    }


def write(viewer: User, job_id: int, step_id: int, change: bool) -> Counts:
    """Add the todos that are new and change those that are there, within the present transaction.

    Args:
        step_id: of `undo.begin`; takes all of it back.
        change: whether todos that are there become what their rows say, as far as the viewer may change them.
    """
    session, mine = db.session, ImportRow.job_id == job_id
    hold(session())
    # somebody may have added the same since the rows were matched
    same = and_(Todo.import_key == ImportRow.key, Todo.deleted_at.is_(None))
    there = select(Todo.id).where(same).scalar_subquery()
    late = update(ImportRow).where(mine, ImportRow.todo_id.is_(None), there.is_not(None)).values(todo_id=there)
    session.execute(late.execution_options(synchronize_session=False))
    added = _add(viewer, and_(mine, ImportRow.todo_id.is_(None)), step_id)
    updated = _change_all(viewer, mine, step_id) if change else 0
    counts = Counts(added, updated, _count(and_(mine, ImportRow.todo_id.is_not(None))) - updated)
    session.execute(delete(ImportRow).where(mine).execution_options(synchronize_session=False))
    return counts


def _add(viewer: User, which: ColumnElement[bool], step_id: int) -> int:
    """Add the todos of these rows with their people and tags, and return how many there are."""
    session, keys = db.session, select(ImportRow.key).where(which)
    gone = update(Todo).where(Todo.import_key.in_(keys), Todo.deleted_at.is_not(None)).values(import_key=None)
    session.execute(gone.execution_options(synchronize_session=False))
    name = _each(ImportRow.tag_names)
    names = session.scalars(
        select(name.c.value).select_from(ImportRow).join(name, true()).where(which).distinct()
    ).all()
    for start in range(0, len(names), BATCH):
        tags.made(names[start : start + BATCH])
    # by the connection: the session would have each row watched for the audit trail, in the memory of the worker
    connection = session.connection()
    values = [getattr(ImportRow, name) for name in COLUMNS]
    rows = select(*values, ImportRow.key, literal(1)).where(which).order_by(ImportRow.number)
    todo = insert(Todo.__table__).from_select([*COLUMNS, "import_key", "version"], rows)
    connection.execute(todo)
    added = select(Todo.id).join(ImportRow, Todo.import_key == ImportRow.key).where(which)
    person, word = _each(ImportRow.assignees), _each(ImportRow.tag_keys)
    people = added.add_columns(cast(person.c.value, Integer)).join(person, true())
    tagged = added.add_columns(Tag.id).join(word, true()).join(Tag, Tag.key == word.c.value)
    connection.execute(insert(todo_assignees).from_select(["todo_id", "user_id"], people))
    connection.execute(insert(todo_tags).from_select(["todo_id", "tag_id"], tagged))
    undo.remember_new(step_id, viewer.id, Todo.import_key.in_(keys))
    audit.write_new("todos", added.add_columns(ImportRow.title, _trail()))
    return _count(which)


def _count(which: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count()).select_from(ImportRow).where(which)) or 0


def _each(column: Any) -> Any:
    """Return the members of a list as a table with the column `value`."""
    is_sqlite = db.engine.dialect.name == "sqlite"
    function = func.json_each if is_sqlite else func.json_array_elements_text
    return function(column).table_valued("value", joins_implicitly=True)


def _trail() -> ColumnElement[Any]:
    """Return what the audit trail says of a new todo: what was kept, and the tags, whose ids are known now."""
    ids = func.aggregate_strings(cast(todo_tags.c.tag_id, String), ", ")
    tagged = select(literal(', "tags": [[], [') + ids + literal("]]")).where(todo_tags.c.todo_id == Todo.id)
    kept = func.substr(ImportRow.trail, 1, func.length(ImportRow.trail) - 1)
    whole = kept + func.coalesce(tagged.scalar_subquery(), "") + literal("}")
    return whole if db.engine.dialect.name == "sqlite" else cast(whole, JSON)


def _change_all(viewer: User, mine: ColumnElement[bool], step_id: int) -> int:
    """Make todos that are there what their rows say, and return how many are different now."""
    changed, last, rows = 0, -1, [ImportRow()]
    while rows:
        some = select(ImportRow).where(mine, ImportRow.todo_id.is_not(None), ImportRow.number > last)
        rows = list(db.session.scalars(some.order_by(ImportRow.number).limit(BATCH)))
        if rows:
            last = rows[-1].number
            changed += _change(viewer, {row.todo_id: row for row in rows}, step_id)
            audit.write()
    return changed


def _change(viewer: User, rows: dict[int | None, ImportRow], step_id: int) -> int:
    """Do the same with some of them."""
    statement = select(Todo).where(Todo.id.in_(rows), changeable_by(viewer)).order_by(Todo.id)
    loaded = statement.options(selectinload(Todo.tags), selectinload(Todo.assignees)).with_for_update(of=Todo)
    changed: dict[int, dict[str, Any]] = {}
    for todo in db.session.scalars(loaded.execution_options(populate_existing=True)):
        version, was = todo.version, undo.before(todo)
        with suppress(Denied):
            todos.update_todo(viewer, todo, version, **_wanted(viewer, todo, rows[todo.id]))
        db.session.flush()
        if todo.version != version:
            changed[todo.id] = was | {"version": todo.version}
    undo.remember_changed(step_id, changed)
    return len(changed)


def _wanted(viewer: User, todo: Todo, row: ImportRow) -> dict[str, Any]:
    """Return what an update sets: no owner, and assignees only if they are the viewer's to choose."""
    wanted = {name: getattr(row, name) for name in TEXTS if name in row.given}
    if "tags" in row.given:
        wanted["tag_names"] = row.tag_names
    if "assignees" in row.given and may_delete(viewer, todo):
        wanted["assignees"] = list(db.session.scalars(select(User).where(User.id.in_(row.assignees))))
    return wanted


def sweep() -> int:
    """Delete the rows of imports that ended without writing them, and return how many there were."""
    ended = select(Job.id).where(Job.status.in_(FINAL))
    with transaction() as session:
        return session.execute(delete(ImportRow).where(ImportRow.job_id.in_(ended))).rowcount  # type: ignore[attr-defined]
