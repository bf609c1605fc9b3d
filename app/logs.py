"""Log lines, as text or as JSON, each with the request or job that it is about and the user."""

import json
import logging
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, has_request_context, request
from sqlalchemy import inspect

FORMAT = "%(asctime)s %(levelname)s %(about)s %(name)s: %(message)s"
about_what: ContextVar[str] = ContextVar("about", default="-")
job_owner: ContextVar[int | None] = ContextVar("job_owner", default=None)


class _About(logging.Filter):
    """Add the request or job id and the user, and keep a line one line, so that nobody can forge another."""

    def filter(self, record: logging.LogRecord) -> bool:
        facts: dict[str, Any] = getattr(record, "facts", {})
        record.about = facts.get("id") or about_what.get()
        record.user = facts.get("user") or user_id()
        record.msg = _one_line(record.getMessage())
        record.args = None
        return True


class Json(logging.Formatter):
    """One JSON object a line, with the same names in every line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; an exception is one value in it."""
        about = record.__dict__.get("about", "-")
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if about.startswith("job-"):
            line["job"] = int(about.removeprefix("job-"))
        else:
            line["request"] = None if about == "-" else about
        line["user"] = record.__dict__.get("user")
        line |= {name: value for name, value in record.__dict__.get("facts", {}).items() if name not in ("id", "user")}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def user_id() -> int | None:
    """Return who is signed in, or whose job runs, as far as that is known; asks nobody."""
    user = g.get("_login_user") if has_request_context() else None
    state = inspect(user, raiseerr=False) if user is not None else None
    return state.identity[0] if state is not None and state.identity else job_owner.get()


def formatter(kind: str) -> logging.Formatter:
    """Return what writes lines as LOG_FORMAT asks for."""
    return Json() if kind == "json" else logging.Formatter(FORMAT)


def _one_line(message: str) -> str:
    """Escape line breaks and other control characters."""
    return re.sub(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", lambda found: repr(found[0])[1:-1], message)


@contextmanager
def about(what: str) -> Iterator[None]:
    """Name a request or job in all log lines of the block."""
    token, owner = about_what.set(what), job_owner.set(None)
    try:
        yield
    finally:
        about_what.reset(token)
        job_owner.reset(owner)


def init_app(app: Flask) -> None:
    """Send all log lines to gunicorn's handlers, at gunicorn's level, or to standard error without gunicorn."""
    gunicorn = logging.getLogger("gunicorn.error")
    handlers = list(gunicorn.handlers) or [logging.StreamHandler(sys.stderr)]
    level = gunicorn.level if gunicorn.handlers else app.config["LOG_LEVEL"]
    for handler in (*handlers, *logging.getLogger("gunicorn.access").handlers):
        handler.setFormatter(formatter(app.config["LOG_FORMAT"]))
        if not any(isinstance(known, _About) for known in handler.filters):
            handler.addFilter(_About())  # of access lines too: gunicorn unescapes the path, line breaks and all
    root = logging.getLogger()
    if not app.testing:
        root.handlers = handlers
        root.setLevel(level)
    app.logger.handlers, app.logger.propagate = [], True
    app.logger.setLevel(level)
    # too talkative, or (FAB) quoting what visitors typed
    for name, quiet in {"flask_appbuilder": "ERROR", "PIL": "INFO", "kombu": "WARNING", "amqp": "WARNING"}.items():
        logging.getLogger(name).setLevel(quiet)


def follow_requests(app: Flask) -> None:
    """Give each request an id: the proxy's if it is harmless, else a new one; it is in every line and the answer."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if re.fullmatch(r"[\w-]{8,64}", given) else secrets.token_hex(8)
        about_what.set(g.request_id)

    @app.after_request
    def name(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.get("request_id", "-")
        return response
