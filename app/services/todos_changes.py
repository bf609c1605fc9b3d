"""What is done to many todos: one function for each change, called by pages for a few and by jobs for many."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select

from app.db import transaction
from app.extensions import db
from app.models.tags import todo_tags
from app.models.todos import Todo
from app.models.users import User
from app.services import tags, todos, undo, users
from app.services.tags import MOST_TAGS
from app.services.todos import Chosen, Outcome
from app.services.todos_rules import changeable_by


def set_priority(viewer: User, ids: Chosen, priority: int, step_id: int | None = None) -> Outcome:
    """Give todos a priority, 0 the most urgent."""
    mine = and_(changeable_by(viewer), Todo.priority != priority)
    return todos.change(viewer, "priority", ids, mine, step_id, priority=priority)


def set_due(viewer: User, ids: Chosen, due_on: date | None, step_id: int | None = None) -> Outcome:
    """Give todos a due date, or take it away."""
    mine = and_(changeable_by(viewer), Todo.due_on.is_distinct_from(due_on))
    return todos.change(viewer, "due", ids, mine, step_id, due_on=due_on)


def retag(viewer: User, ids: Chosen, add: list[str], remove: list[str], step_id: int | None = None) -> Outcome:
    """Put tags on todos and take others off; what would have more than `MOST_TAGS` stays as it is.

    Raises:
        Denied: see `tags.check_new`.
    """
    with transaction() as session:
        added = tags.held(viewer, add)
        session.add_all(added)
        session.flush()
        new, old = [tag.id for tag in added], [tag.id for tag in tags.known(remove)]
        others = _tags_of(todo_tags.c.tag_id.not_in([*new, *old]))
        useful = or_(_tags_of(todo_tags.c.tag_id.in_(old)) > 0, _tags_of(todo_tags.c.tag_id.in_(new)) < len(new))
        mine = and_(changeable_by(viewer), useful, others + len(new) <= MOST_TAGS)
        outcome = todos.change(viewer, "tag", ids, mine, step_id)
        which = and_(todo_tags.c.todo_id.in_(outcome.ids), todo_tags.c.tag_id.in_([*new, *old]))
        session.execute(delete(todo_tags).where(which))
        if rows := [{"todo_id": todo_id, "tag_id": tag_id} for todo_id in outcome.ids for tag_id in new]:
            session.execute(insert(todo_tags), rows)
    return outcome


def _tags_of(which: ColumnElement[bool]) -> Any:
    """Return how many of such tags a todo has."""
    return select(func.count()).select_from(todo_tags).where(todo_tags.c.todo_id == Todo.id, which).scalar_subquery()


@dataclass(frozen=True)
class Change:
    """Something that can be done to many todos.

    Args:
        title: what is done, before "3 todos".
        done: what was done, behind "3 todos".
        permission: what one needs for it, besides the right to the todos.
        work: does it, with a value that JSON can hold and the step of an action in parts.
    """

    title: str
    done: str
    permission: tuple[str, str]
    work: Callable[[User, Chosen, Any, int | None], Outcome]


CHANGES = {
    "complete": Change(
        "Complete", "completed", ("can_edit", "Todo"), lambda v, ids, _, step: todos.set_complete(v, ids, True, step)
    ),
    "reopen": Change(
        "Reopen", "reopened", ("can_edit", "Todo"), lambda v, ids, _, step: todos.set_complete(v, ids, False, step)
    ),
    "assign": Change(
        "Assign",
        "assigned",
        ("can_share", "Todo"),
        lambda v, ids, names, step: todos.assign(v, ids, users.by_usernames(v, names), step),
    ),
    "tag": Change(
        "Tag",
        "tagged anew",
        ("can_edit", "Todo"),
        lambda v, ids, names, step: retag(v, ids, names["add"], names["remove"], step),
    ),
    "priority": Change("Set the priority of", "given another priority", ("can_edit", "Todo"), set_priority),
    "due": Change(
        "Set the due date of",
        "given another due date",
        ("can_edit", "Todo"),
        lambda v, ids, text, step: set_due(v, ids, date.fromisoformat(text) if text else None, step),
    ),
    "delete": Change(
        "Delete", "deleted", ("can_delete", "Todo"), lambda v, ids, _, step: todos.delete_todos(v, ids, step)
    ),
    "restore": Change(
        "Restore", "restored", ("can_restore", "Trash"), lambda v, ids, _, step: todos.restore(v, ids, step)
    ),
}


def in_part(viewer: User, name: str, ids: Mapping[int, int | None], value: Any, step_id: int) -> dict[str, int]:
    """Do a part of a change within the present transaction, and count what became of its todos.

    Returns:
        changed: how many; stale: left to whoever changed them first; same: there was nothing to change; forbidden:
        the viewer may not, or may not any more, or they are gone.
    """
    outcome = CHANGES[name].work(viewer, ids, value, step_id)
    left = set(ids) - set(outcome.ids)
    may = select(func.count()).select_from(Todo).where(Todo.id.in_(left), undo.RIGHTS[name](viewer))
    mine = int(db.session.scalar(may) or 0) if left else 0
    found = {"changed": len(outcome.ids), "stale": len(outcome.stale)}
    return found | {"same": mine - len(outcome.stale), "forbidden": len(left) - mine}
