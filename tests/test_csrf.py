"""No form is believed without the token of its session, and no address changes anything by being visited."""

import re
from typing import Any

import pytest

from app.extensions import db
from tests.conftest import count_queries
from tests.factories import create_attachment, create_job, create_todo

WRITING = {"POST", "PUT", "PATCH", "DELETE"}
REFUSED = "came from another site"


def addresses(app: Any, pk: int, methods: set[str]) -> list[tuple[str, str]]:
    """Return (method, address) of every route that takes one of these methods."""
    adapter, found = app.url_map.bind("localhost"), []
    texts = {"name": "complete", "locale": "en", "version": "v1", "filename": "favicon.svg"}
    for rule in app.url_map.iter_rules():
        path = adapter.build(
            rule.endpoint, {name: texts.get(name, pk) for name in rule.arguments}, append_unknown=False
        )
        found += [(method, path) for method in sorted(rule.methods & methods)]
    return found


def writes(statements: list[str]) -> list[str]:
    """Return those statements that change something."""
    return [line for line in statements if not line.lstrip().upper().startswith(("SELECT", "WITH"))]


def without_token(_login: Any) -> dict[str, str]:
    return {}


def with_token_of_another_session(login: Any) -> dict[str, str]:
    client = login("charlie")
    with client.session_transaction() as session:
        session["csrf_token"] = "the token of Charlie's session"
    return {"csrf_token": client.token()}


def with_nonsense(_login: Any) -> dict[str, str]:
    return {"csrf_token": "nonsense"}


def with_the_bare_secret(_login: Any) -> dict[str, str]:
    return {"csrf_token": "0123456789abcdef"}


@pytest.mark.parametrize("forged", [without_token, with_token_of_another_session, with_nonsense, with_the_bare_secret])
def test_no_form_is_accepted_without_the_token_of_its_session(app, login, cast, forged):
    todo = create_todo(cast.alice)
    client, data, open_routes = login("ada"), forged(login), []
    client.token()
    found = [
        (method, path) for method, path in addresses(app, todo.id, WRITING) if not re.search("/security/|/mail/", path)
    ]
    assert len(found) > 20
    for method, path in found:
        with count_queries() as statements:
            answer = client.open(path, method=method, data=data | {"title": "x", "id": todo.id, "rowid": todo.id})
        if answer.status_code != 400 or REFUSED not in answer.text or writes(statements):
            open_routes.append(path)
    assert not open_routes


def test_anonymous_forms_need_a_token_too(app, cast):
    client = app.test_client()
    for path in ("/login/", "/register"):
        answer = client.post(path, data={"username": "alice", "password": "plain horse battery staple"})
        assert answer.status_code == 400
        assert REFUSED in answer.text
    assert client.get("/todos").status_code == 302


@pytest.mark.parametrize("headers", [{}, {"Referer": "https://evil.example/"}, {"Referer": "http://localhost/todos"}])
def test_forms_over_https_need_a_referer_of_this_site(login, cast, headers):
    todo = create_todo(cast.alice)
    client = login("alice")
    token = client.token()
    path = f"/todos/{todo.id}/delete"
    answer = client.post(path, data={"csrf_token": token}, base_url="https://localhost", headers=headers)
    assert answer.status_code == 400
    db.session.refresh(todo)
    assert todo.deleted_at is None
    headers = {"Referer": "https://localhost/todos"}
    client.post(path, data={"csrf_token": token}, base_url="https://localhost", headers=headers)
    db.session.refresh(todo)
    assert todo.deleted_at is not None


def test_scripts_may_send_the_token_as_a_header(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    headers = {"X-CSRFToken": client.token(), "Accept": "application/json"}
    assert client.post(f"/todos/{todo.id}/complete", data={"complete": 1}, headers=headers).json["complete"] is True


def test_refused_script_gets_json(login, cast):
    todo = create_todo(cast.alice)
    answer = login("alice").post(f"/todos/{todo.id}/complete", headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert REFUSED in answer.json["detail"]


def test_what_writes_cannot_be_visited(app, login, cast):
    todo = create_todo(cast.alice)
    visited = {rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods}
    only_forms = {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule not in visited}
    client = login("ada")
    assert {"AccountPages.logout", "TodoAdmin.action", "TodoAdmin.action_post", "TodoAdmin.delete"} <= only_forms
    adapter = app.url_map.bind("localhost")
    for endpoint in only_forms:
        rule = next(rule for rule in app.url_map.iter_rules() if rule.endpoint == endpoint)
        path = adapter.build(endpoint, dict.fromkeys(rule.arguments, todo.id))
        for method in ("GET", "HEAD"):
            assert client.open(path, method=method).status_code == 405, path


def test_visiting_with_the_arguments_of_a_form_changes_nothing(app, login, cast):
    todo = create_todo(cast.alice)
    create_attachment(todo)
    create_job(cast.alice)
    client = login("ada")
    data = {"csrf_token": client.token(), "title": "Changed", "complete": 1, "id": todo.id, "people": "bob"}
    data |= {"rowid": todo.id, "action": "complete", "version": 1, "first_name": "Changed", "password": "x" * 20}
    for method, path in addresses(app, todo.id, {"GET", "HEAD"}):
        if not path.startswith("/static"):
            with count_queries() as statements:
                client.open(path, method=method, query_string=data)
            assert not writes(statements), path
    db.session.refresh(todo)
    assert (todo.title, todo.complete, todo.version) == ("Water the plants", False, 1)


def test_logging_out_needs_a_form(login):
    client = login("alice")
    assert client.get("/logout").status_code == 405
    assert client.get("/todos").status_code == 200


def test_nothing_that_writes_is_exempt_from_the_check_but_what_knows_no_session(app):
    exempt = {blueprint.name for blueprint in app.extensions["csrf"]._exempt_blueprints}
    writing = {rule.endpoint.split(".")[0] for rule in app.url_map.iter_rules() if rule.methods & WRITING}
    assert writing & exempt == {"SessionApi", "mail"}  # know no session: a password or a signed link is the proof
    assert not app.extensions["csrf"]._exempt_views
