"""Redirects stay on this site and under its prefix, whatever the visitor was told to bring along."""

from typing import Any

import pytest
from sqlalchemy import func, select

from app.extensions import db
from app.models import UndoStep
from tests.factories import PASSWORD, create_todo

PREFIX = "/todo-flask-mvc"
# each is tried as it stands and behind the prefix
TRAPS = (
    "//evil.example",
    "///evil.example",
    "////evil.example/%2f..",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/todos\r\nSet-Cookie: a=b",
    "/todos\x00",
    "/todos\x7f",
    "\t//evil.example",
    " //evil.example",
    "/todos//evil.example",
    "/../evil",
    "/todos/../../evil",
    "/..",
)
# these have a scheme, a host or no leading slash, so nothing can be put before them
OUTSIDE = (
    "http://evil.example",
    "HTTPS://evil.example",
    "http:evil.example",
    "http:/evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "//user@evil.example",
    "http://localhost@evil.example",
    "http://localhost/todos",
    "https://localhost/todos",
    "//localhost/todos",
    "ftp://localhost/",
    "http://[::1",
    "todos",
    "?a=b",
    "#a",
    ".",
    "",
    " ",
    "%2f%2fevil.example",
)
# other applications on the same host
NEIGHBOURS = (
    "/",
    "/other",
    "/todo-flask-mvc",
    "/todo-flask-mvcevil/",
    "/todo-flask-mvc.evil/",
    "/TODO-flask-mvc/todos",
    "/%74odo-flask-mvc/todos",
    "/todo-flask-mvc/%2e%2e/other",
    "/todo-flask-mvc/.%2e/other",
    "/todo-flask-mvc/%2E./other",
)
GOOD = ("/todos", "/todos?q=a&show=done", "/todos/7", "/admin/todos/list/?_flt_0_title=a", "/todos?q=http://x.example")


@pytest.fixture(params=["", PREFIX], ids=["root", "prefix"])
def site(request: pytest.FixtureRequest, app: Any, make_app: Any) -> tuple[Any, str]:
    """The application with and without a prefix."""
    return (make_app(SCRIPT_NAME=request.param) if request.param else app), request.param


def bad(prefix: str) -> list[str]:
    """Return all targets that must not be followed."""
    found = [*TRAPS, *OUTSIDE]
    return found + [prefix + trap for trap in TRAPS] + list(NEIGHBOURS) if prefix else found


def test_who_is_signed_in_is_sent_to_no_bad_target(site, login):
    app, prefix = site
    client = login("alice", app)
    answers = {target: client.get("/login/", query_string={"next": target}) for target in bad(prefix)}
    followed = {target: answer.location for target, answer in answers.items() if answer.location != f"{prefix}/"}
    assert not followed


def test_who_is_signed_in_is_sent_to_good_targets(site, login):
    app, prefix = site
    client = login("alice", app)
    for target in GOOD:
        answer = client.get("/login/", query_string={"next": prefix + target})
        assert answer.location == prefix + target


def test_login_leads_to_the_page_that_was_asked_for(site, cast):
    app, prefix = site
    client = app.test_client()
    first = client.get("/todos?q=ab&show=done")
    assert first.location.startswith(f"{prefix}/login/?next=")
    page = client.get(first.location.removeprefix(prefix))
    assert f'name="next" value="{prefix}/todos?q=ab&amp;show=done"' in page.text
    data = {"username": "alice", "password": PASSWORD, "next": f"{prefix}/todos?q=ab&show=done"}
    assert client.send("/login/", data).location == f"{prefix}/todos?q=ab&show=done"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "/todos//evil.example"]
)
def test_login_form_does_not_lead_away(site, cast, target):
    app, prefix = site
    answer = app.test_client().send("/login/", {"username": "alice", "password": PASSWORD, "next": target})
    assert answer.location == f"{prefix}/"


@pytest.mark.parametrize("where", ["form", "address"])
def test_no_form_of_todos_leads_away(site, login, cast, where):
    app, prefix = site
    client, evil = login("alice", app), {"next": "//evil.example/"}

    def send(path: str, data: dict[str, Any]) -> Any:
        return client.send(path, data | evil) if where == "form" else client.send(path, data, query_string=evil)

    todo = create_todo(cast.alice)
    answers = [
        send("/todos", {"title": "New", "priority": 2}),
        send(f"/todos/{todo.id}", {"title": "Changed", "priority": 2, "version": 1}),
        send(f"/todos/{todo.id}/complete", {"complete": 1}),
        send("/todos/chosen", {"action": "reopen", "id": todo.id}),
        send(f"/todos/{todo.id}/delete", {}),
        send(f"/undo/{db.session.scalar(select(func.max(UndoStep.id)))}", {}),
    ]
    assert [(answer.status_code, answer.location) for answer in answers] == [(302, f"{prefix}/todos")] * 6
    assert send("/trash", {"action": "forever", "id": todo.id}).location == f"{prefix}/trash/forever?id={todo.id}"


def test_doubled_slashes_in_the_path_lead_to_this_site(app):
    answer = app.test_client().get("/", environ_overrides={"PATH_INFO": "//evil.example/todos"})
    assert answer.location is None or answer.location.startswith(("http://localhost/", "/login/"))


def test_address_of_anonymous_visitor_cannot_smuggle_a_header(app):
    answer = app.test_client().get("/todos?q=%0d%0aSet-Cookie:%20a=b")
    assert "\r" not in answer.location
    assert "\n" not in answer.location


def test_very_long_address_is_not_brought_along(app):
    assert len(app.test_client().get("/todos", query_string={"q": "x" * 3000}).location) < 100


def visit(app: Any, cookie: str, path: str, host: str) -> tuple[Any, str]:
    """Visit a page under a forged host with a given cookie; return the answer and the cookie after it."""
    client = app.test_client(use_cookies=False)
    answer = client.get(path, headers={"Host": host, "Cookie": f"todos_session={cookie}"})
    sent = [value for value in answer.headers.getlist("Set-Cookie") if value.startswith("todos_session=")]
    return answer, sent[0].split(";")[0].partition("=")[2] if sent else cookie


@pytest.mark.parametrize("page", ["/todos", "/users", "/admin/todos/list/", "/lang/en"])
def test_back_stays_on_this_site_after_a_visit_with_a_forged_host(site, login, page):
    app, prefix = site
    client = login("alice", app)
    cookie = client.get_cookie("todos_session", path=prefix or "/").value
    for path in (page, page, "/jobs", page):
        _, cookie = visit(app, cookie, path, "evil.example")
    answer, _ = visit(app, cookie, "/back", "localhost")
    assert answer.location.startswith(f"{prefix}/")
    assert "evil" not in answer.location


def test_back_leads_to_the_page_before(site, login):
    app, prefix = site
    client = login("alice", app)
    client.get("/users?q=a")
    client.get("/todos")
    assert client.get("/back").location == f"{prefix}/users?q=a"


def test_history_of_long_addresses_does_not_overflow_the_cookie(login):
    client = login("ada")
    for number in range(8):
        client.get("/admin/todos/list/", query_string={"_flt_0_title": f"{number}" + "x" * 250})
        client.get("/admin/todos/list/", query_string={"_flt_0_title": f"{number}" + "x" * 1500})
    assert len(client.get_cookie("todos_session").value) < 3000


def test_unknown_hosts_are_refused_but_probes_answer(site, make_app):
    _, prefix = site
    app = make_app(SCRIPT_NAME=prefix, TRUSTED_HOSTS="todos.example,.example.org")
    client = app.test_client()
    for host in ("evil.example", "todos.example.evil.example", "eviltodos.example", "localhost", "evil.example:80"):
        for path in ("/login/", "/todos", "/static/favicon.svg", "/nowhere", "/back"):
            assert client.get(path, headers={"Host": host}).status_code == 400, (host, path)
        assert client.get("/health", headers={"Host": host}).status_code == 200
    for host in ("todos.example", "todos.example:8080", "www.example.org"):
        assert client.get("/login/", headers={"Host": host}).status_code == 200, host


def test_host_names_are_known_in_any_case(make_app):
    client = make_app(TRUSTED_HOSTS="todos.example").test_client()
    assert client.get("/login/", headers={"Host": "Todos.Example"}).status_code == 200


def test_forwarded_host_is_not_believed_without_a_proxy(app):
    answer = app.test_client().get("/todos", headers={"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/x"})
    assert answer.location.startswith("/login/")
