"""What a morning mail tells: what is overdue, due today and due soon."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select

from app.extensions import db
from app.models.todos import Todo
from app.models.users import User
from app.services.permissions import load_user
from app.services.todos_rules import of_person, visible_to

SOON = timedelta(days=7)
LINES = 50


@dataclass(frozen=True)
class Digest:
    """What one person's day looks like, as far as `LINES` todos."""

    day: date
    todos: Sequence[Todo]

    @property
    def groups(self) -> list[tuple[str, list[Todo]]]:
        """Return what they are, with the todos, without groups that would be empty."""
        overdue = [todo for todo in self.todos if todo.due_on and todo.due_on < self.day]
        today = [todo for todo in self.todos if todo.due_on == self.day]
        soon = [todo for todo in self.todos if todo.due_on and todo.due_on > self.day]
        return [group for group in (("overdue", overdue), ("today", today), ("soon", soon)) if group[1]]


def digest_of(user: User, day: date) -> Digest:
    """Return what a person is told on a day: nothing, when nothing is due or no mail is wanted."""
    viewer = load_user(user.id) if user.mail != "none" else None
    if viewer is None:
        return Digest(day, [])
    until = day + SOON if user.mail == "digest" else day
    mine = (visible_to(viewer), of_person(viewer.id), Todo.complete.is_(False), Todo.due_on <= until)
    statement = select(Todo).where(*mine).order_by(Todo.due_sort, Todo.priority, Todo.id).limit(LINES)
    return Digest(day, list(db.session.scalars(statement)))
