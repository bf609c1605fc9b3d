"""Headers of every kind of answer, and whose word about host, address and scheme is taken."""

import re
import uuid
from html.parser import HTMLParser

import pytest

from app.models.attachments import PREVIEW, THUMBNAIL
from app.services import attachments
from tests.conftest import PREFIX
from tests.factories import PASSWORD, PNG, create_attachment, create_job, create_todo

# what, path, who asks, status
ANSWERS = [
    ("page", "/todos", "alice", 200),
    ("start page", "/", "alice", 302),
    ("login page", "/login/", None, 200),
    ("redirect to the login page", "/todos", None, 302),
    ("todo", "/todos/{todo}", "alice", 200),
    ("job", "/jobs/{job}", "alice", 200),
    ("state of a job", "/jobs/{job}/state", "alice", 200),
    ("people", "/users", "alice", 200),
    ("lookup", "/users/lookup?q=a", "alice", 200),
    ("profile", "/profile", "alice", 200),
    ("admin list", "/admin/todos/list/", "ada", 200),
    ("admin form", "/admin/todos/edit/{todo}", "ada", 200),
    ("API", "/api/v1/todos/", "alice", 200),
    ("API without session", "/api/v1/todos/", None, 401),
    ("API without row", "/api/v1/todos/999999", "alice", 404),
    ("API description", "/api/v1/_openapi", "alice", 200),
    ("Swagger", "/swagger/v1", "alice", 200),
    ("file", "/files/{file}", "alice", 200),
    ("thumbnail", "/files/{file}/thumbnail", "alice", 200),
    ("preview", "/files/{file}/preview", "alice", 200),
    ("page of an image", "/files/{file}/show", "alice", 200),
    ("missing file", "/files/999999", "alice", 404),
    ("style sheet", "/static/css/site.css", None, 200),
    ("missing style sheet", "/static/css/nothing.css", None, 404),
    ("script of Flask-AppBuilder", "/static/appbuilder/js/jquery-latest.js", None, 200),
    ("probe", "/health", None, 200),
    ("readiness probe", "/health/ready", None, 200),
    ("missing page", "/nowhere", "alice", 404),
    ("missing admin page", "/admin/nowhere", "ada", 404),
    ("forbidden page", "/admin/users/list/", "vera", None),
    ("wrong method", "/logout", "alice", 405),
    ("damaged address", "/admin/todos/list/?psize_TodoAdmin=x", "ada", 400),
]
FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.fixture
def ids(cast):
    """The ids of a row of each kind, all Alice's."""
    todo = create_todo(cast.alice)
    file = create_attachment(todo)
    for variant in (THUMBNAIL, PREVIEW):
        attachments.save_picture(file.id, variant, PNG)
    return {"todo": todo.id, "file": file.id, "job": create_job(cast.alice).id}


def check(answer):
    """Check what every answer has to carry."""
    for name, value in FIXED.items():
        assert answer.headers.get(name) == value, name
    assert re.fullmatch(r"[\w-]{8,64}", answer.headers["X-Request-ID"])
    policy = answer.headers["Content-Security-Policy"]
    if "sandbox" not in policy:
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert not re.search(r"https?:|\*", policy)
    assert "Server" not in answer.headers or "Werkzeug" not in answer.headers["Server"]
    assert "X-Powered-By" not in answer.headers
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(("what", "path", "name", "status"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_every_answer_carries_the_headers(login, app, ids, what, path, name, status):
    client = login(name) if name else app.test_client()
    answer = client.get(path.format(**ids), buffered=True)
    assert status in (None, answer.status_code)
    check(answer)
    caching = answer.headers["Cache-Control"]
    if path.startswith("/files/{file}") and what != "page of an image":
        assert "private" in caching
    elif path.startswith("/static") and answer.status_code == 200:
        assert "max-age" in caching
    else:
        assert caching == "no-store"


def test_answers_without_a_body_carry_the_headers_too(login, ids):
    client = login("alice")
    for path in ("/static/css/site.css", f"/files/{ids['file']}"):
        tag = client.get(path, buffered=True).headers["ETag"]
        answer = client.get(path, headers={"If-None-Match": tag}, buffered=True)
        assert answer.status_code == 304
        check(answer)
    for answer in (client.head("/todos"), client.options("/todos"), client.send("/todos", {"title": "Plants"})):
        check(answer)


def test_refused_forms_carry_the_headers_too(login):
    client = login("alice")
    check(client.send("/todos", {"title": ""}))
    check(login("vera").send("/todos", {"title": "Plants"}))


def test_requests_refused_before_their_form_is_read_carry_the_headers_too(login, make_app):
    answer = login("alice").post("/todos", data={"title": "Plants"})
    assert answer.status_code == 400
    check(answer)
    small = login("alice", make_app(MAX_UPLOAD_MB="1"))
    answer = small.post("/todos", data=b"x" * (7 << 20), content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 413
    check(answer)


def test_unexpected_errors_carry_the_headers_too(make_app, login):
    app = make_app()
    app.add_url_rule("/broken", "broken", lambda: 1 / 0)
    answer = login("alice", app).get("/broken")
    assert answer.status_code == 500
    check(answer)


def test_answer_outside_the_prefix_is_no_page(make_app):
    answer = make_app(SCRIPT_NAME=PREFIX).test_client().get("/todos", base_url="http://localhost/")
    assert answer.status_code == 404
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/todos", "/todos/{todo}", "/users", "/jobs", "/profile", "/login/", "/nowhere"])
def test_site_allows_nothing_inline(login, app, ids, path):
    client = app.test_client() if path == "/login/" else login("alice")
    answer = client.get(path.format(**ids))
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    page = Inline(answer.text)
    assert (page.scripts, page.handlers, page.styles) == ([], [], [])


class Inline(HTMLParser):
    """The inline scripts, handlers and styles of a page, and whatever comes from elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self.styles: list[str] = []
        self.elsewhere: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "script" and "src" not in found:
            self.scripts.append(tag)
        self.handlers += [f"{tag} {name}" for name in found if name.startswith("on")]
        self.handlers += [f"{tag} {value}" for value in found.values() if (value or "").startswith("javascript:")]
        self.styles += [tag] if tag == "style" or "style" in found else []
        if tag in ("script", "link", "img", "iframe"):
            address = found.get("src") or found.get("href") or ""
            self.elsewhere += [address] if re.match("(https?:)?//", address) else []


ADMIN = [
    *("/admin/todos/list/", "/admin/todos/list/?_flt_0_title=x", "/admin/todos/show/{todo}"),
    *("/admin/todos/edit/{todo}", "/admin/todos/add", "/admin/jobs/list/"),
    *("/admin/users/list/", "/admin/users/add", "/admin/roles/list/", "/admin/roles/add"),
    *("/admin/permissions/list/", "/admin/nowhere", "/swagger/v1"),
]
FORGED = ["Host", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Script-Name", "X-Forwarded-Server"]


@pytest.mark.parametrize("path", ADMIN)
def test_admin_allows_nothing_inline_either(login, ids, path):
    answer = login("ada").get(path.format(**ids))
    scripts, styles = answer.headers["Content-Security-Policy"].split("script-src ")[1].split("; style-src ")
    assert scripts == "'self'"
    assert styles == ("'self' 'unsafe-inline'" if path.startswith("/swagger") else "'self'")
    page = Inline(answer.text)
    assert (page.scripts, page.handlers, page.styles, page.elsewhere) == ([], [], [], [])


def test_https_is_demanded_once_the_proxy_says_so(make_app):
    client = make_app(PROXY_HOPS="1").test_client()
    answer = client.get("/login/", headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "Strict-Transport-Security" not in client.get("/login/").headers


def test_https_directly_is_demanded_too(app):
    assert "Strict-Transport-Security" in app.test_client().get("/login/", base_url="https://localhost").headers


def test_scheme_is_not_taken_from_strangers(app):
    answer = app.test_client().get("/login/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on"})
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize(("hops", "statuses"), [("0", [401, 401, 429, 429]), ("1", [401, 401, 401, 401])])
def test_address_is_taken_from_trusted_proxies_only(make_app, hops, statuses):
    client = make_app(LOGIN_LIMIT="2 per hour", PROXY_HOPS=hops).test_client()
    address = f"fd00::{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}"
    form, found = {"username": "nobody", "password": PASSWORD}, []
    for number in range(4):
        headers = {"X-Forwarded-For": f"10.{uuid.uuid4().int % 250}.{uuid.uuid4().int % 250}.{number}"}
        found.append(client.send("/login/", form, headers=headers, environ_overrides={"REMOTE_ADDR": address}))
    assert [answer.status_code for answer in found] == statuses


@pytest.mark.parametrize(("hops", "status"), [("0", 400), ("1", 200)])
def test_host_is_taken_from_trusted_proxies_only(make_app, hops, status):
    client = make_app(TRUSTED_HOSTS="todos.example", PROXY_HOPS=hops).test_client()
    headers = {"X-Forwarded-Host": "todos.example"}
    assert client.get("/login/", base_url="http://inner.example", headers=headers).status_code == status
    assert client.get("/login/", base_url="http://todos.example").status_code == 200


@pytest.mark.parametrize("header", FORGED)
def test_forged_host_or_prefix_shows_up_nowhere(login, ids, header):
    client = login("ada")
    for path in ("/", "/todos", "/admin/todos/list/", "/api/v1/todos/", "/api/v1/_openapi", "/swagger/v1", "/nowhere"):
        answer = client.get(path, headers={header: "evil.example"}, base_url="http://localhost")
        assert "evil.example" not in answer.text
        assert "evil.example" not in str(answer.headers)


def test_unknown_host_is_refused_but_for_probes(make_app):
    client = make_app(TRUSTED_HOSTS="todos.example,.inner.example").test_client()
    assert client.get("/login/", base_url="http://evil.example").status_code == 400
    assert client.get("/login/", base_url="http://a.inner.example").status_code == 200
    assert client.get("/health", base_url="http://10.0.0.7:5000").status_code == 200
