"""API keys: shown once, no more than their user, and dead when they should be."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.db import transaction, utcnow
from app.extensions import db
from app.models import ApiKey, User
from app.services import api_keys, api_keys_use, users_accounts
from tests.conftest import count_queries
from tests.factories import bearer, create_key, create_todo

TODOS = "/api/v1/todos/"
NEW = {"name": "Backup", "scope": "read", "days": "30"}


def make(client):
    """Make a key on the page and return it."""
    answer = client.send("/profile/keys", NEW)
    assert answer.status_code == 201
    return re.search(r'value="(todos_[\w-]{43})"', answer.text)[1]


def get(app, token, path=TODOS, **headers):
    """Ask with nothing but a token."""
    return app.test_client().get(path, headers=bearer(token) | headers)


def test_key_is_shown_once_and_only_its_digest_is_stored(app, login, cast):
    client = login("alice")
    secret = make(client)
    assert secret not in client.get("/profile/keys").text
    assert secret[:12] in client.get("/profile/keys").text
    key = db.session.scalar(select(ApiKey))
    stored = repr([getattr(key, column.name) for column in ApiKey.__table__.columns])
    assert secret not in stored
    assert secret[12:] not in stored
    assert (key.user_id, key.scope, key.name) == (cast.alice.id, "read", "Backup")


def test_key_reads_what_its_user_sees(app, login, cast):
    create_todo(cast.alice, "Alice's")
    create_todo(cast.charlie, "Charlie's")
    answer = get(app, make(login("alice")))
    assert [row["title"] for row in answer.json["result"]] == ["Alice's"]


def test_key_is_for_the_api_alone(app, cast):
    secret = create_key(cast.ada, "admin")
    for path in ("/todos", "/profile/keys", "/admin/todos/list/", "/swagger/v1"):
        answer = get(app, secret, path)
        assert (answer.status_code, "/login/" in answer.location) == (302, True), path


def test_answers_to_a_key_set_no_cookie_even_beside_a_session(app, login, cast):
    secret = create_key(cast.alice)
    for client in (app.test_client(), login("bob")):
        answer = client.get(TODOS, headers=bearer(secret))
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers


def test_key_counts_and_not_the_session_beside_it(login, cast):
    create_todo(cast.alice)
    secret = create_key(cast.charlie)
    assert login("alice").get(TODOS, headers=bearer(secret)).json["result"] == []
    assert login("alice").get(TODOS, headers=bearer("todos_nonsense")).status_code == 401


@pytest.mark.parametrize(
    "fields",
    [{"revoked_at": utcnow()}, {"expires_at": utcnow() - timedelta(seconds=1)}],
    ids=["revoked", "expired"],
)
def test_dead_key_opens_nothing(app, cast, fields):
    answer = get(app, create_key(cast.alice, **fields))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("token", ["", "todos_", "todos_" + "x" * 43, "nonsense", "a=b", "todos_\xff", "x" * 5000])
def test_nonsense_opens_nothing(app, cast, token):
    create_key(cast.alice)
    answer = get(app, token)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_stranger_is_asked_for_a_token(app):
    answer = app.test_client().get(TODOS)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_keys_of_a_deactivated_user_end_for_good(app, cast, viewer):
    secret = create_key(cast.bob)
    facts = {"username": "bob", "email": "bob@example.org", "first_name": "Bob", "last_name": "B"}
    users_accounts.administer(viewer("ada"), db.session.get(User, cast.bob.id), ["Member"], False, **facts)
    assert get(app, secret).status_code == 401
    users_accounts.administer(viewer("ada"), db.session.get(User, cast.bob.id), ["Member"], True, **facts)
    assert get(app, secret).status_code == 401


def test_lost_role_takes_its_rights_from_the_key(app, cast):
    secret = create_key(cast.max, "admin")
    create_todo(cast.alice)
    assert len(get(app, secret).json["result"]) == 1
    with transaction():
        cast.max.roles = list(cast.alice.roles)
    assert get(app, secret).json["result"] == []
    with transaction():
        cast.max.roles = []
    assert get(app, secret).status_code == 403


def test_scopes_narrow_what_a_user_may_do(viewer):
    everything = viewer("ada").permissions
    read, write, admin = (api_keys_use.allowed(scope, everything) for scope in ("read", "write", "admin"))
    assert read < write < admin == everything
    assert not [
        grant for grant in read if grant[0] in ("can_edit", "can_add", "can_delete", "can_cancel", "can_export")
    ]
    assert not [grant for grant in write if grant[1] in ("User", "Role", "Permission", "ApiKey", "Profile")]
    assert ("can_edit", "Todo") in write


def test_key_is_checked_in_one_statement_and_its_use_noted_once_an_hour(app, cast):
    secret = create_key(cast.alice)
    with count_queries() as first:
        get(app, secret, "/api/v1/_openapi")
    assert [line.split()[0] for line in first] == ["SELECT", "UPDATE"]
    with count_queries() as second:
        get(app, secret, "/api/v1/_openapi")
    assert [line.split()[0] for line in second] == ["SELECT"]
    with transaction() as session:
        session.scalar(select(ApiKey)).last_used_at = utcnow() - timedelta(minutes=61)
    with count_queries() as later:
        get(app, secret, "/api/v1/_openapi")
    assert [line.split()[0] for line in later] == ["SELECT", "UPDATE"]


def test_revoked_key_ends_at_once(app, login, cast):
    client = login("alice")
    secret = make(client)
    key = db.session.scalar(select(ApiKey))
    assert client.send(f"/profile/keys/{key.id}/revoke").location == "/profile/keys"
    assert get(app, secret).status_code == 401
    assert client.send(f"/profile/keys/{key.id}/revoke").status_code == 404


def test_nobody_sees_or_revokes_keys_of_others(app, login, cast):
    secret = create_key(cast.alice)
    key = db.session.scalar(select(ApiKey))
    client = login("ada")
    assert "write key" not in client.get("/profile/keys").text
    assert client.send(f"/profile/keys/{key.id}/revoke").status_code == 404
    assert get(app, secret).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [{"name": " "}, {"name": "x" * 65}, {"name": "a\x00b"}, {"scope": "root"}, {"days": "9999"}, {"days": "x"}],
)
def test_unusable_key_is_refused_and_what_was_typed_stays(login, cast, changes):
    answer = login("alice").send("/profile/keys", NEW | changes)
    assert answer.status_code == 400
    assert db.session.scalar(select(ApiKey)) is None


def test_there_is_an_end_to_the_number_of_keys(login, cast, monkeypatch):
    monkeypatch.setattr(api_keys, "MOST_KEYS", 2)
    create_key(cast.alice)
    create_key(cast.alice)
    answer = login("alice").send("/profile/keys", NEW)
    assert answer.status_code == 409
    assert 'value="Backup"' in answer.text
