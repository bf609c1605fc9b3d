"""Todos: everything that is done to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.orm.exc import StaleDataError

from app.db import transaction, utcnow
from app.errors import Conflict, Denied, NotFound
from app.extensions import db
from app.models.todos import Todo, todo_assignees
from app.models.users import User
from app.services import notifications, tags, undo
from app.services.attachments import Files, attach
from app.services.permissions import can
from app.services.todos_lists import LOADED
from app.services.todos_rules import changeable_by, deletable_by, may_change, may_delete, visible_to

STALE = "Somebody changed this todo while you were editing it. Nothing of yours is lost: saving again replaces theirs."


def get(viewer: User, todo_id: int) -> Todo:
    """Return one todo with its people and files.

    Raises:
        NotFound: when there is none that the viewer may see.
    """
    statement = select(Todo).where(visible_to(viewer), Todo.id == todo_id).options(*LOADED)
    todo = db.session.scalars(statement).unique().one_or_none()
    if todo is None:
        raise NotFound("There is no such todo. It may have been deleted.")
    return todo


def chosen(viewer: User, ids: Sequence[int]) -> list[Todo]:
    """Return these todos, in one statement.

    Raises:
        NotFound: when the viewer may not see one of them; nothing is done to the others then.
    """
    found = list(db.session.scalars(select(Todo).where(visible_to(viewer), Todo.id.in_(ids)).order_by(Todo.id)))
    if len(found) != len(set(ids)):
        raise NotFound("Some of the chosen todos do not exist any more. Reload the list and choose again.")
    return found


def create(viewer: User, files: Files | None = None, **fields: Any) -> Todo:
    """Add a todo owned by the viewer, unless `owner` is among the fields; `tag_names` may be new ones.

    Raises:
        Denied: when the viewer may not add todos, or not for somebody else, or not new tags.
    """
    tag_names = fields.pop("tag_names", ())
    todo = Todo(**{"owner": viewer, **fields})
    check_new(viewer, todo)
    with transaction() as session:
        tags.put(viewer, todo, tag_names)
        session.add(todo)
        attach(todo, files)
        session.flush()
        _tell_assigned(viewer, todo.id, todo.assignees)
    return todo


def check_new(viewer: User, todo: Todo) -> None:
    """Refuse a new todo that the viewer may not add.

    Raises:
        Denied: see above.
    """
    if not can(viewer, "can_add", "Todo"):
        raise Denied("Your role does not let you add todos.")
    if todo.owner.id != viewer.id and not can(viewer, "can_change_all", "Todo"):
        raise Denied("You can add todos for yourself only.")


def check_change(viewer: User, todo: Todo, version: str | int | None, fields: dict[str, Any]) -> None:
    """Refuse a change that the viewer may not make or that is based on an older version.

    Raises:
        Denied: when the viewer may not change, share or hand over this todo.
        Conflict: when somebody saved the todo after the viewer opened it.
    """
    if not may_change(viewer, todo):
        raise Denied("You can see this todo but not change it.")
    assignees = fields.get("assignees", todo.assignees)
    if {user.id for user in assignees} != {user.id for user in todo.assignees} and not may_delete(viewer, todo):
        raise Denied("Only the owner can change who this todo is assigned to.")
    if fields.get("owner", todo.owner).id != todo.owner_id and not can(viewer, "can_change_all", "Todo"):
        raise Denied("Your role does not let you hand this todo over.")
    if str(version) != str(todo.version):
        raise Conflict(STALE)


def update_todo(viewer: User, todo: Todo, version: str | int | None, files: Files | None = None, **fields: Any) -> None:
    """Change a todo of which the viewer read `version`.

    Raises:
        Denied, Conflict: see `check_change`; nothing is changed.
    """
    check_change(viewer, todo, version, fields)
    before = set(todo.assignees)
    try:
        with transaction() as session:
            tags.put(viewer, todo, fields.pop("tag_names", todo.tag_names))
            for name, value in fields.items():
                setattr(todo, name, value)
            if session.is_modified(todo):
                todo.updated_at = utcnow()  # a new version too where nothing changed but tags or assignees
            attach(todo, files)
            _tell_assigned(viewer, todo.id, set(todo.assignees) - before)
    except StaleDataError as error:
        raise Conflict(STALE) from error


@dataclass(frozen=True)
class Outcome:
    """What became of several todos: the ids of those that changed, and the step that takes the action back."""

    ids: list[int]
    step_id: int | None


def set_complete(viewer: User, ids: Sequence[int], complete: bool, step_id: int | None = None) -> Outcome:
    """Complete or reopen todos; those that are so already, or not the viewer's to change, stay as they are.

    Args:
        step_id: of `undo.begin`, when this is a part of a larger action; so for all that follow.
    """
    mine = and_(changeable_by(viewer), Todo.complete.is_not(complete))
    values = {"complete": complete, "completed_at": utcnow() if complete else None}
    return _change(viewer, "complete" if complete else "reopen", ids, mine, step_id, **values)


def delete_todos(viewer: User, ids: Sequence[int], step_id: int | None = None) -> Outcome:
    """Move those todos to the trash that the viewer may delete."""
    mine = and_(Todo.deleted_at.is_(None), deletable_by(viewer))
    return _change(viewer, "delete", ids, mine, step_id, deleted_at=utcnow(), deleted_by_id=viewer.id)


def restore(viewer: User, ids: Sequence[int], step_id: int | None = None) -> Outcome:
    """Take those todos back from the trash that the viewer may delete."""
    mine = and_(Todo.deleted_at.is_not(None), deletable_by(viewer))
    return _change(viewer, "restore", ids, mine, step_id, deleted_at=None, deleted_by_id=None)


def assign(viewer: User, ids: Sequence[int], people: Sequence[User], step_id: int | None = None) -> Outcome:
    """Make these people the assignees of those todos that the viewer may share."""
    mine = and_(Todo.deleted_at.is_(None), deletable_by(viewer))
    with transaction() as session:
        outcome = _change(viewer, "assign", ids, mine, step_id)
        which = todo_assignees.c.todo_id.in_(outcome.ids)
        before = {tuple(row) for row in session.execute(select(todo_assignees).where(which))}
        session.execute(delete(todo_assignees).where(which))
        after = [(todo_id, person.id) for todo_id in outcome.ids for person in people]
        if after:
            session.execute(insert(todo_assignees), [{"todo_id": row[0], "user_id": row[1]} for row in after])
        new = [{"todo_id": row[0], "user_id": row[1]} for row in after if row not in before and row[1] != viewer.id]
        notifications.add([{"kind": "assigned", "actor": viewer.get_full_name(), **row} for row in new])
    return outcome


def _tell_assigned(viewer: User, todo_id: int, people: Iterable[User]) -> None:
    """Tell people that they were assigned to a todo."""
    notifications.tell([person.id for person in people], "assigned", by=viewer, todo_id=todo_id)


def _change(
    viewer: User, action: str, ids: Sequence[int], mine: ColumnElement[bool], step_id: int | None, **values: Any
) -> Outcome:
    """Update todos as one statement, and remember what they were."""
    with transaction() as session:
        step = step_id or undo.begin(viewer.id, action)
        changed = undo.remember(step, and_(Todo.id.in_(ids), mine))
        new = {"version": Todo.version + 1, "updated_at": utcnow(), **values}
        statement = update(Todo).where(Todo.id.in_(changed)).values(new)
        session.execute(statement.execution_options(synchronize_session=False))
        if not changed and step_id is None:
            undo.forget(step)
    return Outcome(changed, step if changed else None)
