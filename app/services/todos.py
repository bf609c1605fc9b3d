"""Todos: everything that is done to them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, tuple_, update
from sqlalchemy.orm.exc import StaleDataError

from app.db import transaction, utcnow
from app.errors import Denied, NotFound, Stale
from app.extensions import db
from app.models.tags import Tag
from app.models.todos import Todo, todo_assignees
from app.models.users import User
from app.services import notifications, tags, undo
from app.services.attachments import Files, attach
from app.services.permissions import can
from app.services.todos_lists import with_tags
from app.services.todos_rules import changeable_by, deletable_by, known_to, may_change, may_delete, visible_to

STALE = "Somebody changed this todo while you were editing it. Nothing of yours is lost: choose what to keep and save."
# ids, or ids with the version that the viewer saw of each; a todo that has another one by now stays as it is
Chosen = Sequence[int] | Mapping[int, int | None]


def get(viewer: User, todo_id: int) -> Todo:
    """Return one todo with its people and files, read afresh.

    Raises:
        NotFound: when there is none that the viewer may see.
    """
    todo = find(viewer, todo_id)
    if todo is None:
        raise NotFound("There is no such todo. It may have been deleted.")
    return todo


def find(viewer: User, todo_id: int) -> Todo | None:
    """Return one todo with its people and files, read afresh, or None if there is none that the viewer may see."""
    statement = with_tags(select(Todo).where(visible_to(viewer), Todo.id == todo_id)).order_by(Tag.key)
    return db.session.scalars(statement.execution_options(populate_existing=True)).unique().one_or_none()


def deleted(viewer: User, todo_id: int) -> Todo | None:
    """Return a todo that lies in the trash, if the viewer could see it before, whether or not they may restore it."""
    return db.session.scalar(select(Todo).where(Todo.deleted_at.is_not(None), known_to(viewer), Todo.id == todo_id))


def chosen(viewer: User, ids: Chosen) -> list[Todo]:
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
        Stale: when somebody changed the todo after the viewer opened it.
    """
    if not may_change(viewer, todo):
        raise Denied("You can see this todo but not change it.")
    if str(version) != str(todo.version):
        raise Stale(STALE)
    assignees = fields.get("assignees", todo.assignees)
    if {user.id for user in assignees} != {user.id for user in todo.assignees} and not may_delete(viewer, todo):
        raise Denied("Only the owner can change who this todo is assigned to.")
    if fields.get("owner", todo.owner).id != todo.owner_id and not can(viewer, "can_change_all", "Todo"):
        raise Denied("Your role does not let you hand this todo over.")


def update_todo(viewer: User, todo: Todo, version: str | int | None, files: Files | None = None, **fields: Any) -> None:
    """Change a todo of which the viewer read `version`.

    Raises:
        Denied, Stale: see `check_change`; nothing is changed.
    """
    check_change(viewer, todo, version, fields)
    before = set(todo.assignees)
    try:
        with transaction() as session:
            tags.put(viewer, todo, fields.pop("tag_names", todo.tag_names))
            for name, value in fields.items():
                setattr(todo, name, value)
            if session.is_modified(todo) or (files and (files.added or files.removed)):
                todo.updated_at = utcnow()  # a new version too where nothing changed but tags, assignees or files
            attach(todo, files)
            _tell_assigned(viewer, todo.id, set(todo.assignees) - before)
    except StaleDataError as error:
        raise Stale(STALE) from error


@dataclass(frozen=True)
class Outcome:
    """What became of several todos."""

    ids: list[int]  # of those that changed
    step_id: int | None  # takes the action back
    stale: dict[int, str]  # ids and titles of those that somebody changed first


def set_complete(viewer: User, ids: Chosen, complete: bool, step_id: int | None = None) -> Outcome:
    """Complete or reopen todos; those that are so already, or not the viewer's to change, stay as they are.

    Args:
        step_id: of `undo.begin`, when this is a part of a larger action; so for all that follow.
    """
    mine = and_(changeable_by(viewer), Todo.complete.is_not(complete))
    values = {"complete": complete, "completed_at": utcnow() if complete else None}
    return change(viewer, "complete" if complete else "reopen", ids, mine, step_id, **values)


def delete_todos(viewer: User, ids: Chosen, step_id: int | None = None) -> Outcome:
    """Move those todos to the trash that the viewer may delete."""
    mine = and_(Todo.deleted_at.is_(None), deletable_by(viewer))
    return change(viewer, "delete", ids, mine, step_id, deleted_at=utcnow(), deleted_by_id=viewer.id)


def restore(viewer: User, ids: Chosen, step_id: int | None = None) -> Outcome:
    """Take those todos back from the trash that the viewer may delete."""
    mine = and_(Todo.deleted_at.is_not(None), deletable_by(viewer))
    return change(viewer, "restore", ids, mine, step_id, deleted_at=None, deleted_by_id=None)


def assign(viewer: User, ids: Chosen, people: Sequence[User], step_id: int | None = None) -> Outcome:
    """Make these people the assignees of those todos that the viewer may share."""
    mine = and_(Todo.deleted_at.is_(None), deletable_by(viewer))
    with transaction() as session:
        outcome = change(viewer, "assign", ids, mine, step_id)
        which = todo_assignees.c.todo_id.in_(outcome.ids)
        before = {tuple(row) for row in session.execute(select(todo_assignees).where(which))}
        session.execute(delete(todo_assignees).where(which))
        after = [(todo_id, person.id) for todo_id in outcome.ids for person in people]
        if after:
            session.execute(insert(todo_assignees), [{"todo_id": row[0], "user_id": row[1]} for row in after])
        new = {row[1] if step_id else row: row for row in after if row not in before and row[1] != viewer.id}
        # a larger action tells each person once
        about = {"kind": "assigned", "actor": viewer.get_full_name(), "key": f"assigned:{step_id}" if step_id else None}
        notifications.add([about | {"todo_id": row[0], "user_id": row[1]} for row in new.values()])
    return outcome


def _tell_assigned(viewer: User, todo_id: int, people: Iterable[User]) -> None:
    """Tell people that they were assigned to a todo."""
    notifications.tell([person.id for person in people], "assigned", by=viewer, todo_id=todo_id)


def change(
    viewer: User, action: str, ids: Chosen, mine: ColumnElement[bool], step_id: int | None, **values: Any
) -> Outcome:
    """Update those of the todos that are `mine` as one statement, and remember what they were."""
    with transaction() as session:
        step = step_id or undo.begin(viewer.id, action)
        changed = undo.remember(step, action, and_(_as_seen(ids), mine))
        new = {"version": Todo.version + 1, "updated_at": utcnow(), **values}
        statement = update(Todo).where(Todo.id.in_(changed)).values(new)
        session.execute(statement.execution_options(synchronize_session=False))
        if not changed and step_id is None:
            undo.forget(step)
        left = set(ids) - set(changed) if isinstance(ids, Mapping) else ()
        titles = select(Todo.id, Todo.title).where(Todo.id.in_(left), mine)
        stale: dict[int, str] = dict(session.execute(titles).all()) if left else {}
    return Outcome(changed, step if changed else None, stale)


def _as_seen(ids: Chosen) -> ColumnElement[bool]:
    """Select these todos as far as they have the version that was seen of them."""
    seen = ids if isinstance(ids, Mapping) else {}
    versioned = [(todo_id, version) for todo_id, version in seen.items() if version is not None]
    plain = [todo_id for todo_id in ids if seen.get(todo_id) is None]
    return or_(tuple_(Todo.id, Todo.version).in_(versioned), Todo.id.in_(plain))
