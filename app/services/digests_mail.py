"""The morning mail in words, in its reader's language."""

from datetime import date
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from flask import current_app

from app.models.users import User
from app.services.digests import Digest
from app.services.digests_stop import token_of
from app.services.digests_words import words_of
from app.services.mail import link


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
