"""One's todos with due dates as a calendar that other programs subscribe to (RFC 5545)."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from icalendar import Calendar, Event
from icalendar import Todo as CalendarTodo
from sqlalchemy import delete, or_, select
from sqlalchemy.orm import joinedload

from app.db import transaction, utcnow
from app.extensions import db
from app.models.calendars import CalendarFeed, new_nonce
from app.models.todos import Todo
from app.models.users import User
from app.services.permissions import can, granted_to, with_permissions
from app.services.todos_rules import of_person, visible_to

DONE_SHOWN = timedelta(days=30)
MOST_SHOWN = 2000
REFRESH = timedelta(hours=1)
PRIORITIES = (1, 3, 5, 9)  # urgent, high, normal, low in RFC 5545, section 3.8.1.9
NUMBER = "X-TODOS-ID"
SPACE = uuid.UUID("5cbb4b3e-1f0c-4f0e-9f4e-9d6a1f1f7c55")
Address = Callable[[Todo], str]


def of_user(viewer: User) -> CalendarFeed | None:
    """Return the viewer's feed."""
    return db.session.get(CalendarFeed, viewer.id)


def renew(viewer: User) -> None:
    """Give the viewer a feed, or a new address for it: the old one is dead."""
    with transaction() as session:
        feed = of_user(viewer)
        if feed is None:
            session.add(CalendarFeed(user_id=viewer.id))
        else:
            feed.nonce, feed.created_at = new_nonce(), utcnow()


def close(user: User) -> None:
    """End a feed, within the present transaction if there is one."""
    with transaction() as session:
        session.execute(delete(CalendarFeed).where(CalendarFeed.user_id == user.id))


def reader(user_id: int, nonce: str) -> User | None:
    """Return the active user whose feed has this address, if they may still see todos."""
    statement = select(User, granted_to(user_id)).join(CalendarFeed, CalendarFeed.user_id == User.id)
    mine = statement.where(User.id == user_id, User.active, CalendarFeed.nonce == nonce)
    row = db.session.execute(mine.execution_options(populate_existing=True)).first()
    user = with_permissions(*row) if row else None
    return user if user is not None and can(user, "can_list", "Todo") else None


def due(user: User) -> Sequence[Todo]:
    """Return the user's todos that have a due date: open ones, and those completed lately."""
    recent = or_(Todo.complete.is_(False), Todo.completed_at > utcnow() - DONE_SHOWN)
    mine = select(Todo).where(visible_to(user), of_person(user.id), Todo.due_on.is_not(None), recent)
    in_order = mine.options(joinedload(Todo.tags)).order_by(Todo.due_sort.desc(), Todo.id)
    return db.session.scalars(in_order.limit(MOST_SHOWN)).unique().all()


def written(user: User, todos: Sequence[Todo], address: Address) -> bytes:
    """Return the calendar: each todo as a task, and as an event of a day for programs that know no tasks.

    Notes stay out: whoever has the address can read it.
    """
    calendar = _empty()
    calendar.add("x-wr-calname", f"Todos of {user.get_full_name()}")
    calendar.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for todo in todos:
        calendar.add_component(task_of(todo, address))
        calendar.add_component(_event(todo, address))
    return calendar.to_ical()


def frame() -> tuple[bytes, bytes]:
    """Return what stands before and behind the tasks of a calendar that is written one by one."""
    head, tail, _ = _empty().to_ical().partition(b"END:VCALENDAR")
    return head, tail + b"\r\n"


def _empty() -> Calendar:
    """Return a calendar without anything in it."""
    calendar = Calendar()
    calendar.add("prodid", "-//Todos//Calendar feed//EN")
    calendar.add("version", "2.0")
    return calendar


def task_of(todo: Todo, address: Address | None = None) -> CalendarTodo:
    """Return a todo as VTODO, without its notes."""
    task = CalendarTodo()
    _describe(task, todo, "task", address)
    if todo.due_on:
        task.add("due", todo.due_on)
    task.add("priority", PRIORITIES[todo.priority])
    task.add("status", "COMPLETED" if todo.complete else "NEEDS-ACTION")
    if todo.completed_at:
        task.add("completed", todo.completed_at)
        task.add("percent-complete", 100)
    return task


def uid_of(todo_id: int, created_at: datetime, kind: str = "task") -> str:
    """Return what calendars know a todo by: the same on this site for ever, another one on any other site."""
    return str(uuid.uuid5(SPACE, f"{todo_id} {created_at.isoformat()} {kind}"))


def _event(todo: Todo, address: Address) -> Event:
    """Return a todo as VEVENT; without an end it lasts the day."""
    event = Event()
    _describe(event, todo, "event", address)
    event.add("dtstart", todo.due_on)
    event.add("transp", "TRANSPARENT")  # a due date keeps nobody busy
    return event


def _describe(component: CalendarTodo | Event, todo: Todo, kind: str, address: Address | None) -> None:
    """Add what tasks and events share; the instant of the last change makes the same calendar of the same todos."""
    component.add("uid", uid_of(todo.id, todo.created_at, kind))
    component.add("dtstamp", todo.updated_at)
    component.add("created", todo.created_at)
    component.add("last-modified", todo.updated_at)
    component.add("sequence", todo.version - 1)
    component.add("summary", todo.title if kind == "task" or not todo.complete else f"✓ {todo.title}")
    if address:
        component.add("url", address(todo))
    if todo.tags:
        component.add("categories", todo.tag_names)
