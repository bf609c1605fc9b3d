"""Import of todos: the file that is kept, and the rows that become todos.

A row has a key: its id, or what it says, of whoever imports it. Todos remember the key of their row, so that the same
file adds nothing twice.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.orm import selectinload

from app.db import hold, transaction, utcnow
from app.errors import Denied, Invalid, NotFound
from app.extensions import db
from app.models.attachments import Attachment
from app.models.jobs import Job
from app.models.tags import tag_key, todo_tags
from app.models.todos import NORMAL, Todo, todo_assignees
from app.models.users import User
from app.services import attachments, tags, todos, undo, uploads
from app.services.imports_formats import records, survey
from app.services.imports_guess import Mapping
from app.services.imports_match import Matcher
from app.services.imports_read import KINDS, Source, recognise
from app.services.imports_values import Row
from app.services.todos_rules import changeable_by, may_delete

BATCH = 500  # rows
NOTICED = 5000  # rows that SQLite takes seconds to write, one writer at a time
GONE = "The file of this import is not there any more. Choose it again."


def keep(viewer: User, stream: BinaryIO, name: str, limit: int) -> Attachment:
    """Keep an uploaded file until its import has a job.

    Args:
        limit: of its size, in MiB.

    Raises:
        Invalid: when it is too large, nothing that can be imported, or does not fit into the viewer's space.
    """
    name = uploads.clean_name(name)
    try:
        uploads.check_bytes(stream, limit)
        kind = KINDS[recognise(stream).kind][1]
        stream.seek(0)
        return attachments.stage(viewer, stream, name, kind)
    except Invalid as error:
        whole = error.message[0].isupper()
        raise Invalid(error.message if whole else f"{name} {error.message}.") from error


def give(file: Attachment, job: Job) -> None:
    """Let a file go with the job that reads it; a second copy, of a second click, goes away."""
    with transaction() as session:
        if job.args["file"] == file.id:
            session.execute(update(Attachment).where(Attachment.id == file.id).values(job_id=job.id))
        else:
            attachments.lose(Attachment.id == file.id)
    attachments.sweep_lost()


def remove(viewer: User, file_id: int) -> None:
    """Remove the file of an import of the viewer's before its job goes; what was imported stays."""
    with transaction():
        attachments.lose(Attachment.id == file_of(viewer, file_id).id)
    attachments.sweep_lost()


def is_kept(viewer: User, file_id: int) -> bool:
    """Tell whether the file of an import is still there."""
    which = (Attachment.id == file_id, Attachment.uploaded_by_id == viewer.id)
    return db.session.scalar(select(Attachment.id).where(*which)) is not None


def keeps_others_waiting(count: int) -> bool:
    """Tell whether nobody else can save for seconds while so many rows are imported all or nothing."""
    return count > NOTICED and db.engine.dialect.name == "sqlite"


def file_of(viewer: User, file_id: int) -> Attachment:
    """Return the file of an import of the viewer's.

    Raises:
        NotFound: when it was removed or purged.
    """
    file = db.session.scalar(select(Attachment).where(Attachment.id == file_id, Attachment.uploaded_by_id == viewer.id))
    if file is None:
        raise NotFound(GONE)
    return file


class Reading:
    """One pass over the file of an import, in batches.

    Raises:
        Invalid: when the file has no row, or too many.
        NotFound: when it is not there any more.
    """

    def __init__(self, viewer: User, file_id: int) -> None:
        self.viewer = viewer
        self._stream = attachments.open_file(file_of(viewer, file_id))
        self.source: Source = recognise(self._stream)
        self.count, self.columns = survey(self._stream, self.source)

    def start(self, mapping: Mapping) -> None:
        """Begin at the first row."""
        self._at, self._matcher = 0, Matcher(self.viewer, mapping)
        self._rows = self._matcher.read(records(self._stream, self.source))

    def rows(self, batch: range) -> list[Row]:
        """Return these rows, matched; those before are skipped."""
        skipped = batch.start - self._at
        for _ in islice(self._rows, skipped):
            pass
        found = list(islice(self._rows, len(batch)))
        self._at = batch.stop
        self._matcher.match(found)
        return found


class Counts(NamedTuple):
    """What became of rows."""

    added: int = 0
    updated: int = 0
    there: int = 0


def apply(viewer: User, rows: Sequence[Row], step_id: int, change: bool) -> Counts:
    """Add the new rows and change those that are there, within the present transaction; rows with problems stay out.

    Args:
        step_id: of `undo.begin`; takes all of it back.
        change: whether todos that are there become what their rows say, as far as the viewer may change them.
    """
    new = [row for row in rows if row.outcome == "new"]
    old = {row.todo_id: row for row in rows if row.outcome == "there"}
    if new:
        _add(viewer, new, step_id)
    updated = _change(viewer, old, step_id) if change and old else 0
    return Counts(len(new), updated, len(old) - updated)


def _add(viewer: User, rows: Sequence[Row], step_id: int) -> None:
    """Add todos with their tags and assignees in a few statements."""
    session, now = db.session, utcnow()
    gone = update(Todo).where(Todo.import_key.in_([row.key for row in rows]), Todo.deleted_at.is_not(None))
    session.execute(gone.values(import_key=None).execution_options(synchronize_session=False))
    known = tags.made([name for row in rows for name in row.fields.get("tags", ())])
    # without render_nulls, each change between rows with and without a value would begin another statement
    added = insert(Todo).returning(Todo.import_key, Todo.id).execution_options(render_nulls=True)
    pairs = session.execute(added, [_columns(row, now) for row in rows])
    ids: dict[str | None, int] = {one.import_key: one.id for one in pairs}
    people = [(ids[row.key], pk) for row in rows for pk in row.fields.get("assignees", ())]
    if people:
        session.execute(insert(todo_assignees), [{"todo_id": todo, "user_id": user} for todo, user in people])
    words = [(ids[row.key], known[tag_key(name)]) for row in rows for name in row.fields.get("tags", ())]
    if words:
        session.execute(insert(todo_tags), [{"todo_id": todo, "tag_id": tag} for todo, tag in words])
    undo.remember_new(step_id, viewer.id, list(ids.values()))


def _columns(row: Row, now: Any) -> dict[str, Any]:
    """Return the columns of a new todo."""
    fields = row.fields
    complete = fields.get("complete", False)
    return {
        "title": fields["title"],
        "notes": fields.get("notes", ""),
        "priority": fields.get("priority", NORMAL),
        "due_on": fields.get("due_on"),
        "complete": complete,
        "completed_at": fields.get("completed_at", now) if complete else None,
        "owner_id": fields["owner_id"],
        "created_at": fields.get("created_at") or now,
        "updated_at": fields.get("updated_at") or now,
        "import_key": row.key,
    }


def _change(viewer: User, rows: dict[int | None, Row], step_id: int) -> int:
    """Make todos what their rows say and return how many are different now."""
    hold(db.session())
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


def _wanted(viewer: User, todo: Todo, row: Row) -> dict[str, Any]:
    """Return what an update sets: no owner, and assignees only if they are the viewer's to choose."""
    names = ("title", "notes", "priority", "due_on", "complete", "completed_at")
    wanted = {name: row.fields[name] for name in names if name in row.fields}
    if "tags" in row.fields:
        wanted["tag_names"] = row.fields["tags"]
    if "assignees" in row.fields and may_delete(viewer, todo):
        wanted["assignees"] = list(db.session.scalars(select(User).where(User.id.in_(row.fields["assignees"]))))
    return wanted
