"""Log lines: one format, each with the id of the request or job that it is about."""

import logging
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from flask import Flask, Response, g, request

FORMAT = "%(asctime)s %(levelname)s %(about)s %(name)s: %(message)s"
about_what: ContextVar[str] = ContextVar("about", default="-")


class _About(logging.Filter):
    """Add the request or job id, and keep a line one line, so that nobody can forge another."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.about = about_what.get()
        record.msg = _one_line(record.getMessage())
        record.args = None
        return True


def _one_line(message: str) -> str:
    """Escape line breaks and other control characters."""
    return re.sub(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", lambda found: repr(found[0])[1:-1], message)


@contextmanager
def about(what: str) -> Iterator[None]:
    """Name a request or job in all log lines of the block."""
    token = about_what.set(what)
    try:
        yield
    finally:
        about_what.reset(token)


def init_app(app: Flask) -> None:
    """Send all log lines to gunicorn's handlers, at gunicorn's level, or to standard error without gunicorn."""
    gunicorn = logging.getLogger("gunicorn.error")
    handlers = list(gunicorn.handlers) or [logging.StreamHandler(sys.stderr)]
    level = gunicorn.level if gunicorn.handlers else app.config["LOG_LEVEL"]
    for handler in handlers:
        handler.setFormatter(logging.Formatter(FORMAT))
        if not any(isinstance(known, _About) for known in handler.filters):
            handler.addFilter(_About())
    for handler in logging.getLogger("gunicorn.access").handlers:
        if not any(isinstance(known, _About) for known in handler.filters):
            handler.addFilter(_About())  # gunicorn unescapes the path, line breaks and all
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
