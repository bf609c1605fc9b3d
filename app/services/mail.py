"""Sending mail by SMTP; Python's own library does all that is needed."""

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import current_app

TIMEOUT_SECONDS = 15
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
Send = Callable[[EmailMessage], Any]


def is_configured() -> bool:
    """Tell whether this site sends mail at all."""
    return bool(current_app.config["SMTP_URL"])


def link(path: str) -> str:
    """Return the address of a page as it stands in a mail.

    Args:
        path: below the prefix, with a leading slash.
    """
    return str(current_app.config["PUBLIC_URL"]).rstrip("/") + path


@contextmanager
def connection() -> Iterator[Send]:
    """Connect to the mail server and yield a function that sends one message.

    Raises:
        OSError: when the server cannot be reached or hangs up; `smtplib.SMTPException` is one.
    """
    where = urlsplit(current_app.config["SMTP_URL"])
    host, port = where.hostname or "", where.port or PORTS[where.scheme]
    secure = ssl.create_default_context()
    server: smtplib.SMTP
    if where.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=secure)
    else:
        server = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
    with server:
        if where.scheme == "smtp+starttls":
            server.starttls(context=secure)
        if where.username:
            server.login(unquote(where.username), unquote(where.password or ""))
        yield server.send_message
