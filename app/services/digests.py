"""The morning mail: what is overdue, due today and due soon, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import select, update

from app.db import transaction
from app.errors import NotFound
from app.extensions import db
from app.models.todos import Todo
from app.models.users import User
from app.services.digests_words import words_of
from app.services.mail import link
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


def compose(user: User, digest: Digest) -> EmailMessage:
    """Return the mail; its id is that of the person's day, so that even a copy is known as one."""
    counts = [words_of(user.language).counts[group].format(len(todos)) for group, todos in digest.groups]
    message = EmailMessage(SMTP.clone(max_line_length=998))  # of RFC 5322: a folded link would be a broken one
    sender = current_app.config["MAIL_FROM"]
    message["From"] = sender
    message["To"] = formataddr((user.get_full_name(), user.email))
    message["Subject"] = f"Todos: {', '.join(counts)}"
    message["Message-ID"] = f"<{digest.day}.{user.id}.todos@{sender.rpartition('@')[2].strip('> ')}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    stop = link(f"/mail/stop/{token_of(user)}")
    message["List-Unsubscribe"] = f"<{stop}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    message.set_content("\n".join(_lines(user, digest, stop)))
    return message


def _lines(user: User, digest: Digest, stop: str) -> list[str]:
    """Return the lines of the text."""
    words = words_of(user.language)
    lines = [words.hello.format(user.first_name)]
    for group, todos in digest.groups:
        lines += ["", words.headings[group], ""]
        for todo in todos:
            about = filter(None, (_day(todo.due_on, user.language), words.priorities.get(todo.priority_name)))
            title = " ".join(todo.title.split())
            lines += [f"* {title} ({', '.join(about)})", f"  {link(f'/todos/{todo.id}')}"]
    return [*lines, "", "--", words.everything.format(link("/todos")), words.stop.format(stop), ""]


def _day(day: date | None, language: str) -> str:
    """Return a date as it reads in a person's language."""
    try:
        locale = Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        locale = Locale("en")
    return str(format_date(day, "EEE d MMM", locale=locale))


def _signer() -> URLSafeSerializer:
    """Return what signs the link that stops the mails."""
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="stop morning mails")


def token_of(user: User) -> str:
    """Return what the link that stops somebody's mails ends with."""
    return str(_signer().dumps(user.id))


def recipient(token: str) -> User:
    """Return whose mails a link stops.

    Raises:
        NotFound: when the link is damaged or the person gone.
    """
    try:
        user = db.session.get(User, _signer().loads(token))
    except BadSignature:
        user = None
    if user is None:
        raise NotFound("This link is damaged. Sign in and choose on your profile which mails you want.")
    return user


def stop(user: User) -> None:
    """Send somebody no more mails."""
    with transaction() as session:
        session.execute(update(User).where(User.id == user.id).values(mail="none"))
