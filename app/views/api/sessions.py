"""Signing in by a program that knows a password: JSON Web Tokens."""

from typing import Any

from flask_appbuilder.api import expose
from marshmallow import Schema, fields
from marshmallow.validate import OneOf

from app.errors import Unauthenticated
from app.services import users_accounts
from app.tokens import ACCESS, REFRESH, bearer, issue, user_of
from app.views.api.base import Api, operation
from app.views.api.schemas import Flag, Text
from app.views.users import login_limited


class LoginSchema(Schema):
    """Username or address, and password."""

    example = {"username": "", "password": ""}

    username = Text(320, required=True)
    password = Text(128, required=True, metadata={"format": "password"})
    provider = fields.String(load_default="db", validate=OneOf(["db"]))
    refresh = Flag(load_default=False, metadata={"description": "Whether to issue a refresh token too."})


class TokensSchema(Schema):
    """What to send as `Authorization: Bearer` for the next 15 minutes, and what to renew it with."""

    access_token = fields.String(required=True)
    refresh_token = fields.String()


class SessionApi(Api):
    """Access tokens for a password; API keys are the better choice for programs that run unattended."""

    resource_name = "security"
    openapi_spec_tag = "Signing in"
    class_permission_name = "Session"
    # nothing here knows or makes a session, and what is sent has to be JSON
    csrf_exempt = True

    @expose("/login", methods=["POST"])
    @login_limited
    @operation("Sign in with a password", None, body=LoginSchema, answer=TokensSchema, errors=(401, 429))
    def login(self, body: dict[str, Any]) -> dict[str, str]:
        """Return tokens for the right password; failures slow the account down as at the login page."""
        user = users_accounts.authenticate(body["username"], body["password"])
        if user is None:
            raise Unauthenticated("The username or the password is not right, or the account waits after failures.")
        return issue(user, ACCESS, *([REFRESH] if body["refresh"] else []))

    @expose("/refresh", methods=["POST"])
    @login_limited
    @operation("Renew an access token; send the refresh token as Bearer", None, answer=TokensSchema, errors=(401, 429))
    def refresh(self) -> dict[str, str]:
        """Return a new access token, unless the refresh token has ended."""
        user = user_of(bearer() or "", REFRESH)
        if user is None:
            raise Unauthenticated("This refresh token is not valid. Sign in again.", "invalid_token")
        return issue(user, ACCESS)
