"""Signing in by password for a token, and what a token is worth."""

import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from app.db import transaction
from app.extensions import db
from app.models import User
from app.services import users_accounts
from tests.conftest import count_queries
from tests.factories import PASSWORD, bearer

TODOS, LOGIN, REFRESH = "/api/v1/todos/", "/api/v1/security/login", "/api/v1/security/refresh"
STRONG = "seven quiet otters juggle lemons"


def sign_in(app, **more):
    """Sign in by a program and return the answer."""
    return app.test_client().post(LOGIN, json={"username": "alice", "password": PASSWORD} | more)


def status(app, token, path=TODOS):
    """Return the status that a token gets."""
    return app.test_client().get(path, headers=bearer(token)).status_code


def renewed(app, token):
    """Renew by a token and return the answer."""
    return app.test_client().post(REFRESH, headers=bearer(token))


def forged(app, token, key=None, algorithm="HS256", **claims):
    """Return a token like this one with other claims, another key or another algorithm."""
    known = jwt.decode(token, options={"verify_signature": False}) | claims
    return jwt.encode(known, app.config["SECRET_KEY"] if key is None else key, algorithm)


def test_password_gets_tokens_that_open_the_api_and_nothing_else(app, cast):
    answer = sign_in(app, refresh=True)
    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "refresh_token"}
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert status(app, answer.json["access_token"]) == 200
    assert status(app, answer.json["access_token"], "/todos") == 302


def test_refresh_token_renews_and_does_nothing_else(app, cast):
    found = sign_in(app, refresh=True).json
    assert status(app, found["refresh_token"]) == 401
    assert renewed(app, found["access_token"]).status_code == 401
    assert status(app, renewed(app, found["refresh_token"]).json["access_token"]) == 200


@pytest.mark.parametrize("facts", [{"password": "wrong"}, {"username": "nobody"}, {"username": "", "password": ""}])
def test_wrong_password_gets_401_with_a_challenge(app, cast, facts):
    answer = sign_in(app, **facts)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "access_token" not in answer.text


@pytest.mark.parametrize("body", [{}, {"username": "alice"}, {"username": 1, "password": 2}, {"x": 1}, [], "x"])
def test_unusable_sign_in_is_a_problem(app, cast, body):
    answer = app.test_client().post(LOGIN, json=body)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"


def test_form_of_another_site_cannot_sign_in(app, cast):
    facts = {"username": "alice", "password": PASSWORD}
    assert app.test_client().post(LOGIN, data=facts).status_code == 415
    assert app.test_client().post(LOGIN, data=json.dumps(facts), content_type="text/plain").status_code == 415


def test_guessing_locks_the_account_for_page_and_program(app, cast):
    for number in range(5):
        app.test_client().post(
            LOGIN, json={"username": "alice", "password": "x"}, environ_base={"REMOTE_ADDR": f"192.0.2.{number}"}
        )
    assert sign_in(app).status_code == 401
    assert app.test_client().send("/login/", {"username": "alice", "password": PASSWORD}).status_code == 401


def test_page_and_program_share_the_limit_of_an_address(make_app, cast):
    app = make_app(LOGIN_LIMIT="2 per hour")
    address = {"environ_base": {"REMOTE_ADDR": f"198.51.100.{cast.alice.id % 250}"}}
    body = {"username": f"nobody{cast.alice.id}", "password": "x"}
    client = app.test_client()
    assert client.send("/login/", body, **address).status_code == 401
    assert client.post(LOGIN, json=body, **address).status_code == 401
    assert client.post(LOGIN, json=body, **address).status_code == 429
    assert client.send("/login/", body, **address).status_code == 429


def new_password(viewer, alice):
    users_accounts.set_password(alice, STRONG)


def new_role(viewer, alice):
    facts = {"username": "alice", "email": "alice@example.org", "first_name": "A", "last_name": "B"}
    users_accounts.administer(viewer("ada"), alice, ["Viewer"], True, **facts)


def deactivated(viewer, alice):
    alice.active = False
    with transaction():
        pass


@pytest.mark.parametrize("change", [new_password, new_role, deactivated])
def test_tokens_end_with_password_role_and_activity(app, cast, viewer, change):
    found = sign_in(app, refresh=True).json
    change(viewer, db.session.get(User, cast.alice.id))
    assert status(app, found["access_token"]) == 401
    assert renewed(app, found["refresh_token"]).status_code == 401


def test_tampered_tokens_open_nothing(app, cast):
    token = sign_in(app).json["access_token"]
    past = datetime.now(UTC) - timedelta(hours=1)
    somebody = f"{cast.ada.id}:{cast.alice.session_stamp}"
    header, payload, signature = token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    assert status(app, forged(app, token)) == 200
    wrong = [
        forged(app, token, key="x" * 40),
        forged(app, token, key="", algorithm="none"),
        f"{none}.{payload}.",
        f"{none}.{payload}.{signature}",
        f"{header}.{payload}.",
        token[:-2],
        forged(app, token, exp=past),
        forged(app, token, nbf=datetime.now(UTC) + timedelta(hours=1)),
        forged(app, token, sub=somebody),
        forged(app, token, sub="1"),
        forged(app, token, sub="x:y"),
        forged(app, token, type="refresh"),
    ]
    assert [status(app, one) for one in wrong] == [401] * len(wrong)


def test_token_costs_one_statement(app, cast):
    token = sign_in(app).json["access_token"]
    with count_queries() as statements:
        assert status(app, token, "/api/v1/_openapi") == 200
    assert len(statements) == 1


def test_no_other_site_may_read_answers(app, cast):
    token, origin = sign_in(app).json["access_token"], {"Origin": "https://evil.example"}
    for method in ("get", "options"):
        headers = bearer(token) | origin | {"Access-Control-Request-Method": "GET"}
        answer = getattr(app.test_client(), method)(TODOS, headers=headers)
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]
