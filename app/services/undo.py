"""Undo: what an action on several todos changed is kept for a day, so that one click takes all of it back.

Everything is set-based, so that it costs the same statements for three rows and for thousands. An action that
changes many todos, here or in the batches of a job, does within the transaction of each change:

    step_id = undo.begin(owner_id, "assign")  # once; a job gets it as an argument, so that all its batches share it
    ids = undo.remember(step_id, "assign", which)  # locks the rows and keeps what they were
    session.execute(update(Todo).where(Todo.id.in_(ids)).values(version=Todo.version + 1, ...))

`todos.set_complete` and its kin do this already and take the `step_id` of a step that has begun.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, func, insert, literal, or_, select, update

from app.db import UtcDateTime, transaction, utcnow
from app.errors import NotFound
from app.extensions import db
from app.models.tags import todo_tags
from app.models.todos import Todo, todo_assignees
from app.models.undo import UndoAssignee, UndoRow, UndoStep, UndoTag
from app.models.users import User
from app.services.todos_rules import changeable_by, deletable_by

KEPT = timedelta(days=1)
BATCH = 500  # todos that one statement takes back
# what an action may change of a todo, besides its assignees and tags
COLUMNS = ("owner_id", "priority", "due_on", "complete", "completed_at", "deleted_at", "deleted_by_id")
# action -> the todos of which somebody may take it back
RIGHTS: dict[str, Callable[[User], ColumnElement[bool]]] = {
    "complete": changeable_by,
    "reopen": changeable_by,
    "delete": deletable_by,
    "restore": deletable_by,
    "assign": deletable_by,
    "import": changeable_by,
    "tag": changeable_by,
    "priority": changeable_by,
    "due": changeable_by,
}
TEXTS = ("title", "notes")  # what an import may change as well
# what is kept besides, of which table, and its column
Links = tuple[Any, Table, str]
PEOPLE: Links = (UndoAssignee, todo_assignees, "user_id")
TAGS: Links = (UndoTag, todo_tags, "tag_id")
LINKS: dict[str, tuple[Links, ...]] = {"assign": (PEOPLE,), "tag": (TAGS,), "import": (PEOPLE, TAGS)}


@dataclass(frozen=True)
class Undone:
    """What became of an action that was taken back."""

    action: str
    count: int
    left: list[str]  # titles of those that somebody changed since; they stay as they are


def begin(user_id: int, action: str, job_id: int | None = None) -> int:
    """Begin a step that this user may undo, within the present transaction, and return its id.

    Args:
        user_id: who does it.
        action: one of `RIGHTS`.
        job_id: the job that does it, if there is one.
    """
    step = UndoStep(user_id=user_id, action=action, job_id=job_id)
    with transaction() as session:
        session.add(step)
        session.flush()
        return step.id


def remember(step_id: int, action: str, which: ColumnElement[bool]) -> list[int]:
    """Keep the selected todos as they are, locked until the present transaction ends, and return their ids."""
    session = db.session
    values = (literal(step_id), Todo.id, Todo.version + 1, *(getattr(Todo, name) for name in COLUMNS))
    rows = select(*values).where(which).order_by(Todo.id).with_for_update(of=Todo)
    table = _table(UndoRow)
    kept = insert(table).from_select(["step_id", "todo_id", "version", *COLUMNS], rows).returning(table.c.todo_id)
    ids = sorted(session.scalars(kept))
    for model, links, column in LINKS.get(action, ()):
        present = select(literal(step_id), links.c.todo_id, links.c[column]).where(links.c.todo_id.in_(ids))
        session.execute(insert(_table(model)).from_select(["step_id", "todo_id", column], present))
    return ids


def remember_new(step_id: int, user_id: int, which: ColumnElement[bool]) -> None:
    """Keep of todos that the present transaction added that they were not there: undo takes them to the trash."""
    gone = {"deleted_at": literal(utcnow(), UtcDateTime), "deleted_by_id": literal(user_id)}
    values: tuple[Any, ...] = (literal(step_id), Todo.id, Todo.version)
    rows = select(*values, *(gone.get(name, getattr(Todo, name)) for name in COLUMNS)).where(which)
    db.session.execute(insert(_table(UndoRow)).from_select(["step_id", "todo_id", "version", *COLUMNS], rows))


def before(todo: Todo) -> dict[str, Any]:
    """Return all that an import may change of a todo, for `remember_changed`; its people and tags are loaded."""
    links = {"user_id": [user.id for user in todo.assignees], "tag_id": [tag.id for tag in todo.tags]}
    return {name: getattr(todo, name) for name in (*COLUMNS, *TEXTS)} | links


def remember_changed(step_id: int, changed: Mapping[int, dict[str, Any]]) -> None:
    """Keep what todos were that an import changed within the present transaction.

    Args:
        changed: id -> what `before` returned, and the `version` that the import gave it.
    """
    names = ("version", *COLUMNS, *TEXTS)
    _insert(
        UndoRow,
        [{"step_id": step_id, "todo_id": pk} | {name: was[name] for name in names} for pk, was in changed.items()],
    )
    for model, _, column in LINKS["import"]:
        _insert(
            model,
            [
                {"step_id": step_id, "todo_id": pk, column: other}
                for pk, was in changed.items()
                for other in was[column]
            ],
        )


def _insert(model: Any, rows: list[dict[str, Any]]) -> None:
    """Add rows, if there are any."""
    if rows:
        db.session.execute(insert(_table(model)), rows)


def forget(step_id: int) -> None:
    """Drop a step, such as one whose action changed nothing."""
    with transaction() as session:
        session.execute(delete(UndoStep).where(UndoStep.id == step_id))


def size(step_id: int) -> int:
    """Return how many todos a step can still take back."""
    return int(db.session.scalar(select(func.count()).where(UndoRow.step_id == step_id)) or 0)


def of_job(viewer: User, job_id: int) -> int | None:
    """Return the step that takes a job's work back, unless there is nothing to take back any more."""
    kept = select(UndoRow.todo_id).where(UndoRow.step_id == UndoStep.id).exists()
    mine = (UndoStep.job_id == job_id, UndoStep.user_id == viewer.id, UndoStep.created_at > utcnow() - KEPT)
    return db.session.scalar(select(UndoStep.id).where(*mine, kept).order_by(UndoStep.id.desc()).limit(1))


def action_of(viewer: User, step_id: int) -> str:
    """Return what a step takes back.

    Raises:
        NotFound: when it is somebody else's step, was taken back already, or is more than a day old.
    """
    mine = (UndoStep.id == step_id, UndoStep.user_id == viewer.id, UndoStep.created_at > utcnow() - KEPT)
    action = db.session.scalar(select(UndoStep.action).where(*mine))
    if action is None:
        raise NotFound("There is nothing to undo here: it was undone already, or is more than a day old.")
    return action


def todo_ids(step_id: int) -> list[int]:
    """Return the todos that a step can still take back, in order."""
    return list(db.session.scalars(select(UndoRow.todo_id).where(UndoRow.step_id == step_id).order_by(UndoRow.todo_id)))


def take_back(viewer: User, step_id: int) -> Undone:
    """Make each todo of a step what it was, unless somebody changed it since.

    Raises:
        NotFound: see `action_of`.
    """
    with transaction() as session:
        action, ids = action_of(viewer, step_id), todo_ids(step_id)
        done: set[int] = set()
        for start in range(0, len(ids), BATCH):
            done.update(_take_back(viewer, action, step_id, ids[start : start + BATCH]))
        left = [todo_id for todo_id in ids if todo_id not in done][:BATCH]
        titles = list(session.scalars(select(Todo.title).where(Todo.id.in_(left), RIGHTS[action](viewer))))
        forget(step_id)
    return Undone(action, len(done), titles)


def take_back_some(viewer: User, step_id: int, ids: list[int]) -> int:
    """Do the same with some todos of a step, within the present transaction, and return how many there were.

    Raises:
        NotFound: see `action_of`.
    """
    done = _take_back(viewer, action_of(viewer, step_id), step_id, ids)
    db.session.execute(delete(_table(UndoRow)).where(UndoRow.step_id == step_id, UndoRow.todo_id.in_(ids)))
    return len(done)


def _take_back(viewer: User, action: str, step_id: int, ids: list[int]) -> list[int]:
    """Give these todos their former values, assignees or tags; return the ids of those that nobody changed since."""
    session = db.session
    # what the action added goes to the trash, which needs the right to delete
    may = and_(RIGHTS[action](viewer), or_(UndoRow.deleted_at.is_(None), deletable_by(viewer)))
    unchanged = (UndoRow.step_id == step_id, UndoRow.todo_id == Todo.id, UndoRow.version == Todo.version)
    values = {name: getattr(UndoRow, name) for name in COLUMNS} | {"version": Todo.version + 1, "updated_at": utcnow()}
    if action == "import":
        values |= {name: func.coalesce(getattr(UndoRow, name), getattr(Todo, name)) for name in TEXTS}
    statement = update(Todo).where(Todo.id.in_(ids), *unchanged, may).values(values)
    returned = session.execute(
        statement.returning(Todo.id, Todo.deleted_at).execution_options(synchronize_session=False)
    )
    done: dict[int, datetime | None] = dict(returned.all())
    changed = [todo_id for todo_id, deleted_at in done.items() if deleted_at is None]
    for model, links, column in LINKS.get(action, ()):
        session.execute(delete(links).where(links.c.todo_id.in_(changed)))
        kept = model.step_id == step_id, model.todo_id.in_(changed)
        former = select(model.todo_id, getattr(model, column)).where(*kept)
        session.execute(insert(links).from_select(["todo_id", column], former))
    return list(done)


def sweep() -> int:
    """Forget the steps that are too old to be undone, and return how many there were."""
    with transaction() as session:
        return session.execute(delete(UndoStep).where(UndoStep.created_at <= utcnow() - KEPT)).rowcount  # type: ignore[attr-defined]


def _table(model: Any) -> Table:
    """Return the table of a model, for statements that make no objects."""
    table: Table = model.__table__
    return table
