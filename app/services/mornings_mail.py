"""The morning mails: each is taken in hand by a row that is committed before it leaves, so that none is sent twice.

If the worker dies, or the mail server hangs up, between the two, that day's mail is not sent at all.
"""

import logging
import smtplib
import time
from datetime import date, timedelta

from sqlalchemy import delete, exists, select, update

from app.db import transaction, upsert, utcnow
from app.extensions import db
from app.models.mornings import MorningMail
from app.models.users import User
from app.services import digests, digests_mail, mail

log = logging.getLogger(__name__)
BATCH = 100
KEPT = timedelta(days=30)


def waiting(day: date, zones: list[str]) -> list[User]:
    """Return some of the people whose mail of this day was not taken in hand."""
    taken = exists().where(MorningMail.user_id == User.id, MorningMail.day == day)
    wanted = select(User).where(User.active, User.mail != "none", User.time_zone.in_(zones), ~taken)
    return list(db.session.scalars(wanted.order_by(User.id).limit(BATCH)))


def take(user: User, day: date) -> bool:
    """Take the mail of a person and day in hand; False if somebody else has."""
    row = upsert(MorningMail).values(user_id=user.id, day=day, taken_at=utcnow()).on_conflict_do_nothing()
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
    if not take(user, day) or not (digest := digests.digest_of(user, day)).todos:
        return False
    try:
        send(digests_mail.compose(user, digest))
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
