"""Sessions: how they begin, what ends them, and what their cookie looks like."""

import time
from datetime import datetime
from http.cookies import SimpleCookie
from typing import Any

import pytest
from flask_appbuilder.security.sqla.models import Role
from itsdangerous import TimestampSigner
from sqlalchemy import delete, select

from app.db import transaction
from app.extensions import db
from app.models import User
from app.models.users import new_stamp
from app.services import calendars
from tests.factories import PASSWORD, create_attachment, create_job, create_todo

NEW = "seven quiet otters juggle lemons"


def is_in(client: Any) -> bool:
    """Tell whether a browser's session is still one."""
    return client.get("/todos").status_code == 200


def test_session_prepared_before_login_is_of_no_use(app, cast):
    client = app.test_client()
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    token = client.token()
    before = client.get_cookie("todos_session").value
    client.send("/login/", {"username": "alice", "password": PASSWORD})
    with client.session_transaction() as session:
        assert "planted" not in session
        assert session.get("csrf_token") != "0123456789abcdef"
    assert client.get_cookie("todos_session").value != before
    assert client.post("/profile", data={"csrf_token": token}).status_code == 400
    assert is_in(client)


def test_registration_begins_a_new_session_too(app):
    client = app.test_client()
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    facts = {"username": "erin", "email": "erin@example.org", "first_name": "Erin", "last_name": "Ray"}
    answer = client.send("/register", facts | {"time_zone": "UTC", "password": NEW})
    assert answer.status_code == 302
    with client.session_transaction() as session:
        assert "planted" not in session
    assert is_in(client)


def test_own_password_change_ends_all_other_sessions(login):
    here, there = login("alice"), login("alice")
    here.send("/profile/password", {"old": PASSWORD, "new": NEW})
    assert is_in(here)
    assert not is_in(there)


def test_password_set_by_an_admin_ends_all_sessions(login, cast):
    client = login("alice")
    answer = login("ada").send(f"/admin/users/password/{cast.alice.id}", {"password": NEW})
    assert answer.status_code == 302
    assert not is_in(client)


def administer(login: Any, user: User, **changes: Any) -> Any:
    """Send the admin's form of a user."""
    facts = {"username": user.username, "email": user.email, "first_name": user.first_name, "last_name": "Changed"}
    data = facts | {"roles": [role.name for role in user.roles], "active": "y"} | changes
    return login("ada").send(f"/admin/users/edit/{user.id}", {name: value for name, value in data.items() if value})


@pytest.mark.parametrize("changes", [{"roles": "Viewer"}, {"roles": ["Member", "Manager"]}, {"active": ""}])
def test_losing_or_gaining_roles_and_deactivation_end_all_sessions(login, cast, changes):
    client, other = login("alice"), login("bob")
    assert administer(login, cast.alice, **changes).status_code == 302
    assert not is_in(client)
    assert is_in(other)


def test_old_cookie_of_a_reactivated_user_stays_worthless(login, cast):
    client = login("alice")
    calendars.renew(cast.alice)
    administer(login, cast.alice, active="")
    db.session.refresh(cast.alice)
    administer(login, cast.alice)
    assert not is_in(client)
    assert calendars.of_user(cast.alice) is None  # its address was a way in, too


def test_other_changes_by_an_admin_end_no_session(login, cast):
    client = login("alice")
    assert administer(login, cast.alice, first_name="Alicia").status_code == 302
    assert is_in(client)


def test_deactivation_behind_the_applications_back_ends_the_session(login, cast):
    client = login("alice")
    cast.alice.active = False
    with transaction():
        pass
    assert not is_in(client)


@pytest.mark.parametrize("path", ["/todos", "/profile", "/admin/todos/list/", "/back", "/nowhere"])
def test_session_of_a_removed_user_leads_to_the_login_page(login, cast, path):
    client = login("charlie")
    with transaction() as session:
        session.execute(delete(User).where(User.id == cast.charlie.id))
    answer = client.get(path)
    assert (answer.status_code, (answer.location or "")[:7]) in ((302, "/login/"), (404, ""))
    assert client.get("/login/").status_code == 200


def test_logout_ends_the_session(login):
    client = login("alice")
    answer = client.send("/logout")
    assert answer.location == "/login/"
    assert not is_in(client)
    with client.session_transaction() as session:
        assert not session


def test_cookie_from_before_the_logout_cannot_be_replayed(login, app):
    client = login("alice")
    stolen = client.get_cookie("todos_session").value
    client.send("/logout")
    thief = app.test_client()
    thief.set_cookie("todos_session", stolen)
    assert not is_in(thief)


def test_session_without_the_right_stamp_is_nobodys(app, cast):
    pk, stamp = cast.alice.get_id().split(":")
    for forged in (pk, f"{pk}:", f"{pk}:None", f"{pk}:{new_stamp()}", f"{pk}:{stamp}x", f":{stamp}", "x:y", 7, None):
        client = app.test_client()
        with client.session_transaction() as session:
            session["_user_id"], session["begun"] = forged, int(time.time())
        answer = client.get("/todos")
        assert (answer.status_code, answer.location) == (302, "/login/?next=/todos")


def test_logout_on_one_device_ends_no_session_on_another(app, cast):
    devices = [app.test_client(), app.test_client()]
    for client in devices:
        client.send("/login/", {"username": "alice", "password": PASSWORD})
    devices[0].send("/logout")
    assert [is_in(client) for client in devices] == [False, True]


def test_changed_cookie_is_nobodys(login):
    client = login("alice")
    value = client.get_cookie("todos_session").value
    for changed in ("x" + value, value[:-3] + "abc", value.split(".")[0], value.rpartition(".")[0], "", "." * 5):
        client.set_cookie("todos_session", changed)
        assert not is_in(client)


def test_session_without_a_visit_for_too_long_has_ended(app, login, make_app, monkeypatch):
    other = make_app(SESSION_HOURS="1")
    for age, alive in ((3500, True), (3700, False)):
        with monkeypatch.context() as past:
            past.setattr(TimestampSigner, "get_timestamp", lambda self, age=age: int(time.time()) - age)
            client = login("alice", other)
        assert is_in(client) is alive


def test_each_visit_prolongs_the_session(login):
    client = login("alice")
    assert "todos_session=" in client.get("/jobs/1").headers["Set-Cookie"]


def cookie_of(app: Any) -> Any:
    """Sign in with the form and return the cookie that the browser gets."""
    answer = app.test_client().send("/login/", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 302
    sent = [value for value in answer.headers.getlist("Set-Cookie") if value.startswith("todos_session=")]
    return SimpleCookie(sent[-1])["todos_session"]


def test_cookie_is_for_this_site_and_no_script(app, cast):
    cookie = cookie_of(app)
    assert cookie["httponly"] is True
    assert (cookie["samesite"], cookie["path"], cookie["domain"], cookie["secure"]) == ("Lax", "/", "", "")
    assert datetime.strptime(cookie["expires"], "%a, %d %b %Y %H:%M:%S %Z")


def test_cookie_is_secure_when_asked_for(make_app, cast):
    assert cookie_of(make_app(SESSION_COOKIE_SECURE="1"))["secure"] is True


@pytest.mark.parametrize("given", ["/todo-flask-mvc", "todo-flask-mvc/"])
def test_cookie_is_for_the_prefix_only(make_app, cast, given):
    assert cookie_of(make_app(SCRIPT_NAME=given))["path"] == "/todo-flask-mvc"


def test_cookie_signed_with_another_key_is_nobodys(app, make_app, login):
    client = app.test_client()
    other = make_app(SECRET_KEY="another key, as long as the first one is at least")
    client.set_cookie("todos_session", login("alice", other).get_cookie("todos_session").value)
    assert not is_in(client)


def test_private_pages_are_kept_by_nobody(login, cast):
    todo = create_todo(cast.alice)
    job = create_job(cast.alice)
    client = login("ada")
    paths = ["/", "/todos", f"/todos/{todo.id}", "/users", "/users/lookup?q=a", "/jobs", f"/jobs/{job.id}", "/profile"]
    paths += [f"/jobs/{job.id}/state", "/admin/todos/list/", f"/admin/todos/edit/{todo.id}", "/admin/users/list/"]
    paths += ["/api/v1/todos/", "/login/", "/nowhere", f"/todos/{todo.id + 1}", "/back"]
    kept = {path: client.get(path).headers.get("Cache-Control") for path in paths}
    assert set(kept.values()) == {"no-store"}, kept


def test_files_are_asked_for_again_each_time(app, login, cast):
    file = create_attachment(create_todo(cast.alice))
    answer = login("alice").get(f"/files/{file.id}", buffered=True)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    tag = {"If-None-Match": answer.headers["ETag"]}
    assert login("charlie").get(f"/files/{file.id}", headers=tag).status_code == 404
    assert app.test_client().get(f"/files/{file.id}", headers=tag).status_code == 302


def test_role_taken_away_in_the_database_counts_at_the_next_request(login, cast):
    client = login("max")
    assert client.get("/admin/users/list/").status_code == 200
    cast.max.roles = [db.session.scalar(select(Role).where(Role.name == "Member"))]
    with transaction():
        pass
    assert client.get("/admin/users/list/").status_code == 403
