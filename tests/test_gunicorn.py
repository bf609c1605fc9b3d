"""The site as it is really served: by each server, with and without a prefix, and what it writes to its log."""

import http.client
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from app import create_app
from tests.conftest import PREFIX, db_dispose, migrate, settings
from tests.faults.processes import PATIENCE, Process, environment, wait_until

SERVERS = {
    "gunicorn run:app": ["-m", "gunicorn", "run:app"],
    "gunicorn app:create_app()": ["-m", "gunicorn", "app:create_app()"],
    "flask run": ["-m", "flask", "--app", "run", "run"],
    "python run.py": ["run.py"],
}
SERVED = [
    # how, and the prefix as it is given
    ("gunicorn run:app", PREFIX),
    ("gunicorn run:app", PREFIX.strip("/")),
    ("gunicorn run:app", f"{PREFIX}/"),
    ("gunicorn run:app", None),
    ("gunicorn app:create_app()", PREFIX.strip("/")),
    ("flask run", PREFIX.strip("/")),
    ("flask run", None),
    ("python run.py", f"{PREFIX}/"),
]
PREFIX_HEADERS = ("Script-Name", "Script_Name", "SCRIPT_NAME", "X-Script-Name", "X-Forwarded-Prefix")


@dataclass
class Answer:
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    text: str


class Site:
    """A server of ours on a free port."""

    def __init__(self, command, environ, log, prefix=None):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.prefix = "" if prefix is None else PREFIX
        more = {"PORT": str(self.port)} | ({} if prefix is None else {"SCRIPT_NAME": prefix})
        command = [*command, "--port", str(self.port)] if "flask" in command else command
        self.process = Process(command, environ | more, log)

    def ask(self, path, method="GET", body=None, **headers):
        """Send a request exactly as given; underscores in the names of headers stay."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()

    def is_up(self):
        """Tell whether it answers; fail if it has ended."""
        assert self.process.is_running(), self.process.output()
        try:
            return self.ask("/health").status
        except OSError:
            return 0

    def wait(self):
        """Return when it answers."""
        wait_until(self.is_up, "the server answers")
        return self

    def lines(self, text):
        """Wait for a line with the text in the log and return all such lines."""
        self.process.wait_for(text)
        return [line for line in self.process.output().splitlines() if text in line]


@pytest.fixture(scope="module")
def migrated_sqlite(new_database):
    uri = new_database("sqlite")
    app = create_app(settings(uri))
    migrate(app)
    db_dispose(app)
    return uri


@pytest.fixture(scope="module")
def site(request, migrated_sqlite, valkey, tmp_path_factory):
    """The site, served in the way and under the prefix of the test's parameter."""
    server, prefix = request.param
    environ = environment(migrated_sqlite, valkey.url, WEB_CONCURRENCY="1")
    found = Site(SERVERS[server], environ, tmp_path_factory.mktemp("site") / "log", prefix)
    try:
        yield found.wait()
    finally:
        found.process.kill()


def on_all_servers(test):
    names = [f"{server} under {prefix}" for server, prefix in SERVED]
    return pytest.mark.parametrize("site", SERVED, ids=names, indirect=True)(test)


def local_links(page):
    return re.findall(r'\b(?:href|src|action)="(/[^"]*)"', page)


@on_all_servers
def test_login_page_is_inside_with_all_its_links(site):
    answer = site.ask(f"{site.prefix}/login/")
    assert answer.status == 200
    links = local_links(answer.text)
    assert any("/static/" in link for link in links)
    assert [link for link in links if not link.startswith(f"{site.prefix}/")] == []
    style = next(link for link in links if ".css" in link)
    assert site.ask(style).headers["Content-Type"].startswith("text/css")


@on_all_servers
def test_redirects_stay_inside(site):
    for path in ("/", "/todos?q=x", "/login"):
        answer = site.ask(site.prefix + path)
        assert answer.status in (302, 308)
        assert re.match(rf"(http://127.0.0.1:{site.port})?{site.prefix}/login/?", answer.headers["Location"])


@on_all_servers
def test_prefix_without_its_slash_leads_inside(site):
    answer = site.ask(site.prefix or "/")
    assert answer.status in (302, 308)
    assert f"{site.prefix}/" in answer.headers["Location"]


@on_all_servers
def test_paths_outside_are_404(site):
    outside = ["/nowhere", "/todo", f"{PREFIX}X/", f"{PREFIX}X/login/", f"{PREFIX}.bak", "/%2e%2e/login/", "//"]
    outside += ["/", "/login/", "/static/css/site.css", PREFIX.upper()] if site.prefix else [f"{PREFIX}/login/"]
    for path in outside:
        answer = site.ask(path)
        expected = {404} if site.prefix else {404, 302, 308}
        assert answer.status in expected, path
        assert "Traceback" not in answer.text


@on_all_servers
def test_probes_answer_with_and_without_the_prefix(site):
    for start in {site.prefix, ""}:
        assert site.ask(f"{start}/health").status == 200
        ready = site.ask(f"{start}/health/ready")
        assert (ready.status, '"status":"ready"' in ready.text.replace(" ", "")) == (200, True)
    assert site.ask("/healthy").status == 404
    assert site.ask("/health/other").status == 404


@on_all_servers
@pytest.mark.parametrize("header", PREFIX_HEADERS)
def test_no_header_changes_the_prefix(site, header):
    for value in ("/evil", "", PREFIX):
        headers = {header: value}
        answer = site.ask(f"{site.prefix}/login/", **headers)
        assert answer.status == 200
        assert [link for link in local_links(answer.text) if not link.startswith(f"{site.prefix}/")] == []
        assert PREFIX in answer.text or not site.prefix
        assert site.ask("/evil/login/", **headers).status == 404
    assert (PREFIX in site.ask("/login/", **{header: PREFIX}).text) is False


@on_all_servers
def test_cookie_belongs_to_the_prefix(site):
    cookie = site.ask(f"{site.prefix}/login/").headers["Set-Cookie"]
    assert cookie.startswith("todos_session=")
    assert f"Path={site.prefix or '/'}" in cookie.split("; ")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.fixture(scope="module")
def bare(database, new_database, valkey, tmp_path_factory):
    """Eight gunicorn workers that log everything, over a database that nobody migrated."""
    environ = environment(new_database(database), valkey.url, WEB_CONCURRENCY="8", LOG_LEVEL="DEBUG")
    found = Site(SERVERS["gunicorn run:app"], environ, tmp_path_factory.mktemp("bare") / "log", PREFIX)
    found.uri = environ["SQLALCHEMY_DATABASE_URI"]
    try:
        yield found.wait()
    finally:
        found.process.kill()


def test_eight_workers_make_no_table(bare):
    wait_until(lambda: bare.process.output().count("Booting worker with pid") == 8, "eight workers boot")
    for _ in range(24):
        assert bare.ask(f"{PREFIX}/login/").status == 200
        assert bare.ask(f"{PREFIX}/health/ready").status == 503
    engine = create_engine(bare.uri, poolclass=NullPool)
    assert inspect(engine).get_table_names() == []


def test_unmigrated_site_is_alive_but_not_ready_and_tells_no_reason(bare):
    assert bare.ask("/health").status == 200
    answer = bare.ask("/health/ready")
    assert answer.status == 503
    assert '"not ready"' in answer.text
    for secret in ("alembic", "SELECT", "sqlite", "psycopg"):
        assert secret not in answer.text


def test_line_of_the_application_is_in_gunicorns_log_with_the_request_id(bare):
    answer = bare.ask("/health/ready", **{"X-Request-ID": "probe-0123456789"})
    assert answer.headers["X-Request-ID"] == "probe-0123456789"
    bare.process.wait_for("id=probe-0123456789")
    lines = bare.lines("probe-0123456789")
    assert any(re.match(r"\S+ \S+ WARNING probe-0123456789 app\.services\.health: not ready", line) for line in lines)
    [access] = [line for line in lines if line.endswith("id=probe-0123456789")]
    assert '"GET /health/ready" 503' in access


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space in it", "semi;colon;id", 'quote"quote"', ""])
def test_malformed_request_id_is_replaced(bare, given):
    found = bare.ask("/health", **{"X-Request-ID": given}).headers["X-Request-ID"]
    assert found != given
    assert re.fullmatch(r"[0-9a-f]{16}", found)


@pytest.mark.parametrize("path", ["/nowhere", "/health/nowhere", f"{PREFIX}/nowhere"])
@pytest.mark.parametrize("breaks", ["%0d%0a", "%0a", "%85", "%1b[2J"])
def test_line_break_in_a_path_forges_no_line(bare, path, breaks):
    mark = f"forged{path.count('/')}{len(path)}{breaks.strip('%')[:2]}{len(breaks)}"
    assert bare.ask(f"{path}{breaks}2026-01-01%20{mark}").status in (302, 404)
    assert bare.ask("/health", **{"X-Request-ID": f"after-{mark}"}).status == 200
    bare.process.wait_for(f"id=after-{mark}")
    lines = bare.lines(mark)
    assert [line for line in lines if line.startswith("2026-01-01")] == []
    assert [line for line in lines if "\x1b" in line] == []


def sign_in(site, username, password):
    """Send the login form as a browser does."""
    page = site.ask(f"{PREFIX}/login/")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)[1]
    form = urlencode({"csrf_token": token, "username": username, "password": password})
    headers = {"Cookie": page.headers["Set-Cookie"].split(";")[0], "Content-Type": "application/x-www-form-urlencoded"}
    return site.ask(f"{PREFIX}/login/?token=secret-of-the-query", "POST", form, **headers)


def test_failure_shows_an_apology_and_logs_the_reason(bare):
    answer = sign_in(bare, "alice", "anything")
    assert answer.status == 500
    assert "Something went wrong on our side" in answer.text
    for secret in ("Traceback", "ab_user", "sqlalchemy"):
        assert secret not in answer.text
    request_id = answer.headers["X-Request-ID"]
    assert bare.lines(f"ERROR {request_id} app: unexpected error at POST /login/")


def test_log_holds_nothing_that_was_typed_and_no_secret(bare):
    typed = {"username": "secret-typed-into-the-wrong-field", "password": "secret-of-the-password"}
    request_id = sign_in(bare, **typed).headers["X-Request-ID"]
    bare.lines(f"id={request_id}")
    output = bare.process.output()
    for secret in (*typed.values(), "secret-of-the-query", "k" * 40, "csrf_token"):
        assert secret not in output, secret


@pytest.mark.parametrize("server", SERVERS)
def test_bad_setting_ends_the_start_with_one_message(server, migrated_sqlite, tmp_path):
    environ = environment(migrated_sqlite, "redis://localhost", WEB_CONCURRENCY="2", SCRIPT_NAME="/ö")
    del environ["SECRET_KEY"]
    process = Process(SERVERS[server], environ, tmp_path / "log")
    try:
        assert process.popen.wait(PATIENCE) not in (0, None)
    finally:
        process.kill()
    output = process.output()
    assert output.count("SECRET_KEY is missing") == 1
    assert "SCRIPT_NAME=/ö: use path segments" in output
    assert "Traceback" not in output


def test_site_that_is_told_to_end_ends_in_good_order(migrated_sqlite, valkey, tmp_path):
    environ = environment(migrated_sqlite, valkey.url, WEB_CONCURRENCY="2")
    found = Site(SERVERS["gunicorn run:app"], environ, tmp_path / "log", PREFIX)
    try:
        found.wait()
        assert found.process.terminate() == 0
    finally:
        found.process.kill()
    assert "Traceback" not in found.process.output()
    with pytest.raises(OSError):
        found.ask("/health")
