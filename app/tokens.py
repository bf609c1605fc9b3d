"""Who comes with a token instead of a session: an API key or a JSON Web Token, as RFC 6750 has it."""

from collections.abc import Callable

from flask import Flask, Request, current_app, g, request, session
from flask_jwt_extended import create_access_token, create_refresh_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from itsdangerous import BadSignature, URLSafeSerializer
from jwt import PyJWTError

from app.errors import Denied
from app.extensions import csrf
from app.models.calendars import CalendarFeed
from app.models.users import User
from app.services import api_keys, api_keys_use, calendars
from app.services.permissions import load_signed_in

ACCESS, REFRESH = "access", "refresh"


def bearer() -> str | None:
    """Return the token that this request shows, None for a session; pages know sessions only."""
    given = request.authorization
    if given is None or given.type != "bearer" or not request.path.startswith("/api/"):
        return None
    return given.token or ""


def load_user(_request: Request) -> User | None:
    """Return whom the token names; Flask-Login asks when there is no session."""
    token = bearer()
    if not token:
        return None
    g.by_token = True
    if token.startswith(api_keys.PREFIX):
        found = api_keys_use.authenticate(token)
        user, g.scope = found or (None, "")
        return user
    return user_of(token, ACCESS)


def user_of(token: str, kind: str) -> User | None:
    """Return whom a JSON Web Token names, None if it is not ours, too old, of another kind, or has ended."""
    try:
        claims = decode_token(token)
    except (JWTExtendedException, PyJWTError, ValueError):
        return None
    return load_signed_in(claims["sub"]) if claims["type"] == kind else None


def issue(user: User, *kinds: str) -> dict[str, str]:
    """Return new tokens of these kinds; like a session they end with a new password, role or deactivation."""
    makers: dict[str, Callable[..., str]] = {ACCESS: create_access_token, REFRESH: create_refresh_token}
    return {f"{kind}_token": makers[kind](identity=user.get_id()) for kind in kinds}


def _feeds() -> URLSafeSerializer:
    """Return what signs the addresses of calendar feeds."""
    return URLSafeSerializer(current_app.secret_key, salt="calendar")  # type: ignore[arg-type]


def feed_token(feed: CalendarFeed) -> str:
    """Return the secret part of a calendar feed's address."""
    return str(_feeds().dumps([feed.user_id, feed.nonce]))


def feed_reader(token: str) -> User | None:
    """Return whose calendar feed a token opens."""
    try:
        user_id, nonce = _feeds().loads(token)
    except BadSignature:
        return None
    return calendars.reader(user_id, nonce)


class OutOfScope(Denied):
    """The API key does not reach this (403)."""

    @property
    def headers(self) -> dict[str, str]:
        """Say so as RFC 6750 does."""
        return {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}


def refuse(scope: str) -> Denied:
    """Return why a program may not do what it asked for, given the scope of its key, "" without a key."""
    if scope and scope != "admin":
        return OutOfScope(f"Your role does not let you do this, or not with a key of the scope {scope}.")
    return Denied("Your role does not let you do this.")


def check_csrf() -> None:
    """Believe a form only with the token of its session; no other site can make a browser send a Bearer token."""
    is_stranger = request.path.startswith("/api/") and "_user_id" not in session  # whom the wall turns away
    if bearer() is None and not is_stranger:
        csrf.protect(apply_exemptions=True)


def init_app(app: Flask) -> None:
    """Check where every request that changes something comes from."""
    csrf.init_app(app)
    app.before_request(check_csrf)
