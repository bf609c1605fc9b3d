"""What happens once a day, in the morning of each person's own time zone.

In-app notifications of what is due come with a key, so that each is told once, with or without mails.
"""

from collections import defaultdict
from datetime import date, datetime

from sqlalchemy import String, cast, exists, literal, select, union

from app.db import UtcDateTime, transaction, upsert, utcnow
from app.extensions import db
from app.models.notifications import Notification
from app.models.todos import Todo, todo_assignees
from app.models.users import User
from app.services.users import zone_named

MORNING = range(7, 12)  # hours, where the person is


def zones_by_day(now: datetime) -> dict[date, list[str]]:
    """Return the days on which it is morning now, each with the time zones of people where it is."""
    found: dict[date, list[str]] = defaultdict(list)
    for zone in db.session.scalars(select(User.time_zone).where(User.active).distinct()):
        there = now.astimezone(zone_named(zone))
        if there.hour in MORNING:
            found[there.date()].append(zone)
    return dict(found)


def tell_due(day: date, zones: list[str]) -> None:
    """Tell people in these time zones which of their todos are due on this day."""
    to_do = (Todo.due_sort == day, Todo.complete.is_(False), Todo.deleted_at.is_(None))
    concerned = union(
        select(Todo.owner_id.label("user_id"), Todo.id.label("todo_id")).where(*to_do),
        select(todo_assignees.c.user_id, todo_assignees.c.todo_id).join(Todo).where(*to_do),
    ).subquery()
    now = literal(utcnow(), UtcDateTime)
    key = literal("due:") + cast(concerned.c.todo_id, String) + literal(f":{day}")
    told = exists().where(Notification.user_id == concerned.c.user_id, Notification.key == key)
    rows = (
        select(concerned.c.user_id, literal("due"), key, literal(""), concerned.c.todo_id, now)
        .join(User, User.id == concerned.c.user_id)
        .where(User.active, User.time_zone.in_(zones), ~told)
    )
    columns = ("user_id", "kind", "key", "actor", "todo_id", "created_at")
    with transaction() as session:
        session.execute(upsert(Notification).from_select(columns, rows).on_conflict_do_nothing())
