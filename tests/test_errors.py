"""Errors: a sentence in the look of the UI in use, or as JSON; never how the program is made."""

import logging
import re
import uuid

import pytest

from app.errors import MESSAGES, TITLES
from app.extensions import db
from app.logs import _About
from app.models import Todo
from config import ROOT
from tests.conftest import PREFIX
from tests.factories import PASSWORD, create_todo

SITE, ADMIN = "css/site.css", "css/admin.css"
TELLTALES = re.compile(
    rf"Traceback|File (&#34;|\")|site-packages|{ROOT}|\.py\b|werkzeug|sqlalchemy|psycopg|sqlite|postgresql|"
    r"flask[ -_]?\d|python/?\d|SELECT |secret of ours",
    re.IGNORECASE,
)


def check_page(answer, status, skin=SITE):
    """Check that an answer is an error page of one UI, with a way on and nothing for attackers."""
    assert answer.status_code == status
    assert answer.content_type == "text/html; charset=utf-8"
    assert f'class="error-status">{status}<' in answer.text
    assert f"<h1>{TITLES[status]}</h1>" in answer.text
    assert f"<title>{TITLES[status]} · Todos</title>" in answer.text
    assert skin in answer.text
    assert ({SITE, ADMIN} - {skin}).pop() not in answer.text
    assert ("Try again" if status == 503 else "Go to my todos") in answer.text
    own = re.sub(r'(href|src)="[^"]*"', "", answer.text)
    assert not TELLTALES.search(own)


def check_problem(answer, status, detail=None):
    """Check that an answer is a problem as RFC 9457 has it."""
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    problem = answer.get_json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"] == (detail or MESSAGES[status])
    assert problem["instance"] == answer.headers["X-Request-ID"]
    assert not TELLTALES.search(answer.text)


@pytest.fixture
def broken(make_app):
    """An application with pages that fail in ways nobody expected, as it runs in production."""
    app = make_app()
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail():
        raise RuntimeError("secret of ours")

    for path in ("/broken", "/admin/broken", "/api/v1/broken"):
        app.add_url_rule(path, path.replace("/", "_"), fail, methods=["GET", "POST"])
    return app


@pytest.mark.parametrize(
    ("path", "skin"), [("/nowhere", SITE), ("/todos/999999", SITE), ("/files/1", SITE), ("/admin/nowhere", ADMIN)]
)
def test_missing_page_is_404(login, path, skin):
    check_page(login("ada").get(path), 404, skin)


@pytest.mark.parametrize("path", ["/admin/todos/show/999999", "/admin/todos/edit/x", "/admin/users/show/0"])
def test_missing_row_in_the_admin_is_404(login, path):
    check_page(login("ada").get(path), 404, ADMIN)


def test_missing_page_is_404_for_strangers_too(app):
    check_page(app.test_client().get("/nowhere"), 404)


@pytest.mark.parametrize(("path", "skin"), [("/logout", SITE), ("/admin/todos/delete/1", ADMIN)])
def test_wrong_method_is_405_and_names_the_right_ones(login, path, skin):
    answer = login("ada").get(path)
    check_page(answer, 405, skin)
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(("path", "skin"), [("/todos", SITE), ("/admin/todos/add", ADMIN)])
def test_form_without_token_is_400_and_changes_nothing(login, path, skin):
    answer = login("ada").post(path, data={"title": "Plants", "owner": "ada"})
    check_page(answer, 400, skin)
    assert "go back and send it again" in answer.text
    assert db.session.query(Todo).count() == 0


@pytest.mark.parametrize(("path", "skin"), [("/todos?after=x", SITE), ("/admin/todos/list/?_oc_TodoAdmin=x", ADMIN)])
def test_damaged_address_is_400(login, path, skin):
    check_page(login("ada").get(path), 400, skin)


def test_missing_right_is_403_in_the_look_of_either_ui(login, cast):
    client, todo = login("vera"), create_todo(cast.alice)
    form = {"title": "Mine now", "version": "1"}
    check_page(client.send(f"/todos/{todo.id}", form), 403)
    check_page(client.send(f"/admin/todos/delete/{todo.id}"), 403, ADMIN)


@pytest.mark.parametrize(("path", "skin"), [("/todos", SITE), ("/admin/todos/add", ADMIN)])
def test_too_large_a_request_is_413(login, make_app, path, skin):
    client = login("ada", make_app(MAX_UPLOAD_MB="1"))
    body = b"x" * (7 << 20)
    check_page(client.post(path, data=body, content_type="multipart/form-data; boundary=x"), 413, skin)


def test_too_many_attempts_are_429(make_app):
    client = make_app(LOGIN_LIMIT="1 per hour").test_client()
    address = {"REMOTE_ADDR": f"fd00::{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}"}
    form = {"username": "nobody", "password": PASSWORD}
    assert client.send("/login/", form, environ_overrides=address).status_code == 401
    answer = client.send("/login/", form, environ_overrides=address)
    check_page(answer, 429)
    assert "Wait a minute" in answer.text


@pytest.mark.parametrize("path", ["/broken", "/admin/broken"])
def test_unexpected_error_is_logged_whole_and_shown_as_one_sentence_with_its_id(broken, login, caplog, path):
    answer = login("ada", broken).get(path)
    check_page(answer, 500)
    request_id = answer.headers["X-Request-ID"]
    assert MESSAGES[500] in answer.text
    assert f"<code>{request_id}</code>" in answer.text
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info[0] is RuntimeError
    assert path in record.getMessage()


def test_log_line_of_an_error_names_the_request(broken, login, caplog):
    caplog.handler.addFilter(_About())
    answer = login("ada", broken).get("/broken", headers={"X-Request-ID": "chosen-by-the-proxy"})
    assert answer.headers["X-Request-ID"] == "chosen-by-the-proxy"
    assert [record.about for record in caplog.records if record.levelno >= logging.ERROR] == ["chosen-by-the-proxy"]


@pytest.mark.parametrize("given", ["short", "with blank", "x" * 65, "line\u2028break", "<script>"])
def test_damaged_request_id_is_replaced(app, given):
    answer = app.test_client().get("/health", headers={"X-Request-ID": given.encode().decode("latin-1")})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-ID"])


def test_every_refusal_has_an_id_of_its_own(login):
    client = login("alice")
    ids = {client.post("/todos").headers["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3


def test_programs_get_problems(broken, login):
    client = login("ada", broken)
    json = {"Accept": "application/json"}
    check_problem(client.get("/nowhere", headers=json), 404)
    check_problem(client.get("/logout", headers=json), 405)
    check_problem(client.get("/broken", headers=json), 500)
    check_problem(client.get("/api/v1/broken"), 500)
    check_problem(client.get("/api/v1/nowhere"), 404)
    check_problem(client.put("/api/v1/todos/"), 405)
    check_problem(broken.test_client().get("/todos", headers=json), 401)


def test_programs_get_problems_about_their_forms_too(login, make_app):
    client, json = login("ada", make_app(MAX_UPLOAD_MB="1")), {"Accept": "application/json"}
    kind = "multipart/form-data; boundary=x"
    check_problem(client.post("/todos", data=b"x" * (7 << 20), content_type=kind, headers=json), 413)
    sentence = "This form is too old, or came from another site. Reload the page and try again."
    check_problem(client.post("/todos", headers=json), 400, sentence)


def test_browsers_get_pages_whatever_else_they_accept(login):
    client = login("ada")
    for accept in (
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "*/*",
        "text/html, application/json",
    ):
        check_page(client.get("/nowhere", headers={"Accept": accept}), 404)


def test_error_pages_stay_under_the_prefix(make_app, login):
    client = login("ada", make_app(SCRIPT_NAME=PREFIX))
    for path in ("/nowhere", "/admin/nowhere"):
        answer = client.get(path)
        assert answer.status_code == 404
        links = re.findall(r'(?:href|src|action)="([^"#]*)"', answer.text)
        assert len(links) > 5
        assert [link for link in links if not link.startswith(f"{PREFIX}/")] == []


@pytest.fixture(params=["sqlite:////nowhere/at/all.db", "postgresql+psycopg://nobody@127.0.0.1:1/nothing"])
def without_database(request, make_app):
    """An application whose database is away, as it runs in production."""
    app = make_app(SQLALCHEMY_DATABASE_URI=request.param)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@pytest.mark.parametrize("path", ["/todos", "/admin/todos/list/", "/nowhere", "/admin/nowhere", "/login/"])
def test_page_still_comes_while_the_database_is_away(without_database, login, path):
    answer = login("ada", without_database).get(path)
    check_page(answer, 503)
    assert answer.headers["Content-Security-Policy"]


def test_programs_get_problems_while_the_database_is_away(without_database, login):
    answer = login("ada", without_database).get("/api/v1/todos/")
    check_problem(answer, 503, "The database cannot be used at the moment. Wait a minute, then try again.")


def test_database_that_takes_no_changes_is_no_mistake_of_ours(login, frozen):
    client = login("ada")
    client.get("/todos")
    with frozen():
        check_page(client.send("/todos", {"title": "Plants"}), 503)
        assert client.get("/todos").status_code == 200
    assert db.session.query(Todo).count() == 0


def test_strangers_and_probes_are_answered_while_the_database_is_away(without_database):
    client = without_database.test_client()
    assert client.get("/login/").status_code == 200
    assert client.get("/health").status_code == 200
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert not TELLTALES.search(answer.text)
    check_page(client.send("/login/", {"username": "ada", "password": PASSWORD}), 503)
