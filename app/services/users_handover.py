"""The open todos of somebody who leaves: how many there are, and to whom they go."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, exists, func, insert, literal, or_, select, true, update

from app.db import transaction, utcnow
from app.extensions import db
from app.models.todos import Todo, todo_assignees
from app.models.users import User

AT_ONCE = 500  # todos; more are a job's work


@dataclass(frozen=True)
class Share:
    """How many open todos somebody leaves behind, and the ids among which they are."""

    owned: int
    assigned: int
    ids: range


def share_of(user_id: int) -> Share:
    """Return what somebody leaves behind, in one statement."""
    mine = todo_assignees.c.user_id == user_id
    helps = exists().where(todo_assignees.c.todo_id == Todo.id, mine)
    owns = Todo.owner_id == user_id
    counts = (func.count().filter(owns), func.count().filter(helps), func.min(Todo.id), func.max(Todo.id))
    open_ones = select(*counts).where(Todo.complete.is_(False), or_(owns, helps))
    owned, assigned, first, last = db.session.execute(open_ones).one()
    return Share(owned, assigned, range(first, last + 1) if first is not None else range(0))


def hand_over(user_id: int, heir_id: int | None, ids: range) -> int:
    """Give the open todos of somebody among these ids to the heir, as one batch within the present transaction.

    Without an heir they are released: a todo goes to whoever of those assigned to it has been here longest. One that
    nobody else works on stays in the name of who left, where those who see all todos find it.

    Returns:
        How many todos have another owner now.
    """
    batch = and_(Todo.id.between(ids[0], ids[-1]), Todo.complete.is_(False))
    stays = select(User.id).join(todo_assignees, todo_assignees.c.user_id == User.id)
    stays = stays.where(todo_assignees.c.todo_id == Todo.id, User.id != user_id, User.active)
    first = stays.with_only_columns(func.min(User.id)).scalar_subquery()
    next_owner: Any = heir_id if heir_id is not None else first
    owned = and_(batch, Todo.owner_id == user_id, true() if heir_id is not None else stays.exists())
    with transaction() as session:
        if heir_id is not None:
            _help_instead(session, user_id, heir_id, batch)
        gone = update(Todo).where(owned).values(owner_id=next_owner, version=Todo.version + 1, updated_at=utcnow())
        done: Any = session.execute(gone.execution_options(synchronize_session=False))
        helped = todo_assignees.c.todo_id.in_(select(Todo.id).where(batch))
        session.execute(delete(todo_assignees).where(todo_assignees.c.user_id == user_id, helped))
    return int(done.rowcount)


def _help_instead(session: Any, user_id: int, heir_id: int, batch: Any) -> None:
    """Assign the heir to what the other one was assigned to, but to nothing twice and to nothing of their own."""
    already = select(todo_assignees.c.todo_id).where(todo_assignees.c.user_id == heir_id)
    of_others = select(Todo.id).where(batch, Todo.owner_id.not_in([user_id, heir_id]))
    theirs = (todo_assignees.c.user_id == user_id, todo_assignees.c.todo_id.in_(of_others))
    helped = update(Todo).where(Todo.id.in_(select(todo_assignees.c.todo_id).where(*theirs)))
    touched = helped.values(version=Todo.version + 1, updated_at=utcnow())
    session.execute(touched.execution_options(synchronize_session=False))
    rows = select(todo_assignees.c.todo_id, literal(heir_id)).where(*theirs, todo_assignees.c.todo_id.not_in(already))
    session.execute(insert(todo_assignees).from_select(["todo_id", "user_id"], rows))
