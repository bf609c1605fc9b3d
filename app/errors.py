"""Errors that a person can act upon: a sentence and an HTTP status."""

from collections.abc import Mapping
from typing import Any, cast

from click import ClickException
from flask import Flask, Response, current_app, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as OverrunError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import RequestRedirect


class AppError(ClickException):
    """An expected failure; its message is a sentence for the user that says what to do.

    It is click's exception too, so that a command prints the sentence and exits with 1.
    """

    status = 500

    @property
    def headers(self) -> dict[str, str]:
        """Return what the answer to a program needs beside the status."""
        return {}

    @property
    def members(self) -> dict[str, Any]:
        """Return what the problem says to a program beside the sentence (RFC 9457, section 3.2)."""
        return {}


class Invalid(AppError):
    """The input cannot be used (400); `fields` says field by field why."""

    status = 400

    def __init__(self, message: str, fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.fields = fields

    @property
    def members(self) -> dict[str, Any]:
        """Name the fields."""
        return {"errors": self.fields} if self.fields else {}


class Unprocessable(Invalid):
    """The input has the right form, but names what is not there or cannot be used (422)."""

    status = 422


class Unauthenticated(AppError):
    """Nobody is signed in (401), or not by what was shown; `error` is a code of RFC 6750, section 3.1."""

    status = 401

    def __init__(self, message: str, error: str = "") -> None:
        super().__init__(message)
        self.error = error

    @property
    def headers(self) -> dict[str, str]:
        """Ask for a token, as RFC 9110 wants with every 401."""
        return {"WWW-Authenticate": f'Bearer error="{self.error}"' if self.error else "Bearer"}


class Denied(AppError):
    """The viewer lacks the right (403)."""

    status = 403


class NotFound(AppError):
    """There is no such thing, or the viewer may not see it (404)."""

    status = 404


class Conflict(AppError):
    """Somebody else was faster (409)."""

    status = 409


class NotAcceptable(AppError):
    """The program accepts no form that the answer has (406)."""

    status = 406


class Unsupported(AppError):
    """The body is of a type that this address does not read (415)."""

    status = 415


class Stale(Conflict):
    """The row is not as the writer saw it any more (409; 412 where the request named its version by If-Match)."""


class TooLarge(AppError):
    """The upload is over the limit (413)."""

    status = 413


class Limited(AppError):
    """Too many attempts (429)."""

    status = 429


class Unavailable(AppError):
    """A service that is needed does not answer (503)."""

    status = 503


READ_ONLY = "25006"  # a replica, or a PostgreSQL whose disk is full, as hosting companies run it

MESSAGES = {
    400: "The request cannot be understood. Go back, reload the page and try again.",
    401: "Sign in first.",
    403: "Your role does not let you do this.",
    404: "There is no such page, or it is not for you.",
    405: "This address cannot be used that way.",
    406: "Answers are JSON: accept application/json.",
    413: "The upload is larger than this site accepts.",
    415: "Send application/json.",
    429: "Wait a minute, then try again.",
    500: "Something went wrong on our side.",
    503: "The site is not available at the moment.",
}


TITLES = {
    400: "Something is wrong with this request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible",
    409: "Somebody was faster",
    413: "Too large",
    429: "Too many attempts",
    500: "Our mistake",
    503: "Not available",
}


def init_app(app: Flask) -> None:
    """Show each error as a page of the UI in use, or as JSON to programs."""
    app.register_error_handler(AppError, show)
    app.register_error_handler(HTTPException, show)
    app.register_error_handler(Exception, show)


def show(error: Exception) -> ResponseReturnValue:
    """Render an error; of an unexpected one the visitor sees an id, and the log the rest."""
    status, message = 500, MESSAGES[500]
    if is_away(getattr(error, "original_exception", None) or error):  # Flask wraps what an error's page ran into
        current_app.logger.exception("the database cannot be used at %s %s", request.method, request.path)
        error = Unavailable("The database cannot be used at the moment. Wait a minute, then try again.")
    if isinstance(error, AppError):
        status, message = error.status, error.message
    elif isinstance(error, RequestRedirect):
        return cast(Response, error)  # a redirect, such as the one that adds a missing slash
    elif isinstance(error, CSRFError):
        # reloading the page of this error would only send the old form again
        step = (
            "Reload the page and try again." if _wants_json() else "Log in if you have to, go back and send it again."
        )
        status, message = 400, f"This form is too old, or came from another site. {step}"
    elif isinstance(error, HTTPException):
        status = error.code or 500
        message = MESSAGES.get(status, MESSAGES[400])
    else:
        current_app.logger.exception("unexpected error at %s %s", request.method, request.path)
    if _wants_json():
        members = error.members if isinstance(error, AppError) else {}
        return problem(status, message, **members), status, _kept_headers(error)
    if status >= 500:
        # whoever asked: looking may fail as the page did
        g._login_user = current_app.login_manager.anonymous_user()  # type: ignore[attr-defined]
    headers = _kept_headers(error)
    skin = "admin" if request.path.startswith("/admin") and status < 500 else "site"
    title = TITLES.get(status, "Error")
    return render_template(f"{skin}/error.html", status=status, title=title, message=message), status, headers


def is_away(error: Exception) -> bool:
    """Tell whether the database is away, overrun, locked, full or takes no changes: it ends without a mend of ours."""
    reason = error.orig if isinstance(error, DBAPIError) else None
    if getattr(reason, "sqlstate", None) == READ_ONLY:
        return True
    mistaken = getattr(reason, "sqlite_errorname", None) == "SQLITE_ERROR"  # in a statement, such as a missing table
    return isinstance(error, OperationalError | OverrunError) and not mistaken


def problem(status: int, message: str, **members: Any) -> Response:
    """Return an error as programs read it (RFC 9457)."""
    body = {"type": "about:blank", "title": HTTP_STATUS_CODES.get(status, "Error"), "status": status}
    answer = jsonify(body | {"detail": message, "instance": g.get("request_id")} | members)
    answer.status_code = status
    answer.content_type = "application/problem+json"
    return answer


def _kept_headers(error: Exception) -> dict[str, str]:
    """Return what a status needs beside its page, such as Allow with 405 (RFC 9110)."""
    if isinstance(error, AppError):
        return error.headers
    if not isinstance(error, HTTPException):
        return {}
    return {
        name: value for name, value in error.get_response().headers if name in ("Allow", "Content-Range", "Retry-After")
    }


def _wants_json() -> bool:
    """Tell whether a program asks."""
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return request.path.startswith("/api/") or best == "application/json"
