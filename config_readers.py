"""Readers of settings: each returns the checked value, or raises ValueError with the remedy."""

import re
from collections.abc import Callable


def text(value: str) -> str:
    """Return the value as it stands."""
    return value.strip()


def switch(value: str) -> bool:
    """Read a yes/no value."""
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if value.strip().lower() not in known:
        raise ValueError("use 1 or 0")
    return known[value.strip().lower()]


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers between `low` and `high`, both included."""

    def read(value: str) -> int:
        if not re.fullmatch(r"\d{1,9}", value.strip()) or not low <= int(value) <= high:
            raise ValueError(f"use a whole number from {low} to {high}")
        return int(value)

    return read


def choice(*allowed: str) -> Callable[[str], str]:
    """Return a reader that accepts only the given words."""

    def read(value: str) -> str:
        for word in allowed:
            if value.strip().lower() == word.lower():
                return word
        raise ValueError(f"use one of {', '.join(allowed)}")

    return read


def words(*allowed: str) -> Callable[[str], tuple[str, ...]]:
    """Return a reader of comma-separated words, any words if none are named."""

    def read(value: str) -> tuple[str, ...]:
        found = tuple(word.strip() for word in value.split(",") if word.strip())
        if unknown := [word for word in found if allowed and word not in allowed]:
            raise ValueError(f"{', '.join(unknown)} is not among {', '.join(allowed)}")
        return found

    return read


def prefix(value: str) -> str:
    """Normalise a URL prefix to "" or "/a/b", whichever slashes it was given with."""
    path = "/" + value.strip().strip("/")
    if path == "/":
        return ""
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path) or {".", ".."} & set(path.split("/")):
        raise ValueError("use path segments of letters, digits, '-', '_', '.' and '~', such as /todo-flask-mvc")
    return path


def redis_url(value: str) -> str:
    """Check that the URL is one that both Celery and the rate limiter understand."""
    if not re.match(r"(rediss?|unix)://.", value.strip()):
        raise ValueError("use redis://HOST:6379/0, rediss://... or unix:///PATH")
    return value.strip()


def database_uri(value: str) -> str:
    """Name the driver, so that postgres:// URLs of hosting companies work."""
    uri = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value.strip())
    if not re.match(r"(postgresql\+psycopg|sqlite)://", uri):
        raise ValueError("use postgresql+psycopg://USER:PASSWORD@HOST/NAME or sqlite:////PATH")
    return uri


def secret_key(value: str) -> str:
    """Refuse keys that are short enough to be guessed."""
    if len(value.strip()) < 32:
        raise ValueError("use at least 32 characters: python -c 'import secrets; print(secrets.token_hex(32))'")
    return value.strip()


def smtp_url(value: str) -> str:
    """Check the address of a mail server; empty for none."""
    if value.strip() and not re.match(r"(smtp|smtps|smtp\+starttls)://[^/]+$", value.strip()):
        raise ValueError("use smtp+starttls://USER:PASSWORD@HOST:587, smtps://USER:PASSWORD@HOST:465 or smtp://HOST:25")
    return value.strip()


def web_address(value: str) -> str:
    """Check an address that stands in mails; empty for none."""
    if value.strip() and not re.match(r"https?://[^/\s]+(/\S*)?$", value.strip()):
        raise ValueError("use https://HOST or https://HOST/PREFIX")
    return value.strip().rstrip("/")


def token(value: str) -> str:
    """Refuse a secret that is short enough to be guessed; there may be none."""
    if 0 < len(value.strip()) < 16:
        raise ValueError("use at least 16 characters, or none")
    return value.strip()
