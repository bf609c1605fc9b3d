"""What happens once a day, in the morning of each person's own time zone.

In-app notifications of what is due come with a key, so that each is told once. A mail is taken in hand by a row that
is committed before it leaves: it is never sent twice. If the worker dies, or the mail server hangs up, between the
two, that day's mail is not sent at all; the notifications are there in any case.
"""

import logging
import smtplib
import time
from collections import defaultdict
from datetime import date, datetime, timedelta

from sqlalchemy import String, cast, delete, exists, literal, select, union, update
from sqlalchemy.dialects import postgresql, sqlite

from app.db import UtcDateTime, transaction, utcnow
from app.extensions import db
from app.models.mornings import MorningMail
from app.models.notifications import Notification
from app.models.todos import Todo, todo_assignees
from app.models.users import User
from app.services import digests, mail
from app.services.users import zone_named

log = logging.getLogger(__name__)
MORNING = range(7, 12)  # hours, where the person is
BATCH = 100
KEPT = timedelta(days=30)


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
    dialect = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    with transaction() as session:
        session.execute(dialect.insert(Notification).from_select(columns, rows).on_conflict_do_nothing())


def waiting(day: date, zones: list[str]) -> list[User]:
    """Return some of the people whose mail of this day was not taken in hand."""
    taken = exists().where(MorningMail.user_id == User.id, MorningMail.day == day)
    wanted = select(User).where(User.active, User.mail != "none", User.time_zone.in_(zones), ~taken)
    return list(db.session.scalars(wanted.order_by(User.id).limit(BATCH)))


def take(user: User, day: date) -> bool:
    """Take the mail of a person and day in hand; False if somebody else has."""
    dialect = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    row = dialect.insert(MorningMail).values(user_id=user.id, day=day, taken_at=utcnow()).on_conflict_do_nothing()
    with transaction() as session:
        return session.execute(row.returning(MorningMail.user_id)).first() is not None


def send_mails(day: date, zones: list[str], until: float) -> int:
    """Send the mails of a day and return how many left.

    Args:
        day: the day.
        zones: where it is morning.
        until: the reading of the monotonic clock, in seconds, after which the rest waits for the next time.
    """
    sent = 0
    try:
        with mail.connection() as send:
            while people := waiting(day, zones):
                for user in people:
                    if time.monotonic() > until:
                        return sent
                    sent += _send_one(send, user, day)
    except OSError as error:
        log.warning("the morning mails stop here, the mail server does not answer: %s", type(error).__name__)
    return sent


def _send_one(send: mail.Send, user: User, day: date) -> bool:
    """Send one person's mail, if there is something to say and nobody else does."""
    if not take(user, day):
        return False
    digest = digests.digest_of(user, day)
    if not digest.todos:
        return False
    try:
        send(digests.compose(user, digest))
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused, ValueError) as error:
        log.warning("the mail server refuses the morning mail to user %s: %s", user.id, type(error).__name__)
        return False
    with transaction() as session:
        which = (MorningMail.user_id == user.id, MorningMail.day == day)
        session.execute(update(MorningMail).where(*which).values(sent_at=utcnow()))
    return True


def forget() -> int:
    """Delete rows that no day needs any more and return how many there were."""
    with transaction() as session:
        old = delete(MorningMail).where(MorningMail.taken_at < utcnow() - KEPT)
        return int(session.execute(old).rowcount)  # type: ignore[attr-defined]
