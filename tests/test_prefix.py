"""The mount under a prefix, as WSGI and as whole pages."""

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.prefix import Prefix
from tests.conftest import PREFIX
from tests.factories import create_attachment, create_job, create_todo

SEGMENT = st.text("abc-._~", min_size=1, max_size=4)


def mounted(prefix: str, path: str, script_name: str = "") -> tuple[str, str] | int:
    """Return SCRIPT_NAME and PATH_INFO as the application sees them, or 404."""
    seen: list[tuple[str, str]] = []
    status: list[str] = []

    def wsgi(environ, start_response):
        seen.append((environ["SCRIPT_NAME"], environ["PATH_INFO"]))
        return []

    Prefix(wsgi, prefix)({"SCRIPT_NAME": script_name, "PATH_INFO": path}, lambda line, headers: status.append(line))
    return seen[0] if seen else int(status[0][:3])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/todo/todos", ("/todo", "/todos")),
        ("/todo/", ("/todo", "/")),
        ("/todo", ("/todo", "")),
        ("/todolist", 404),
        ("/todos", 404),
        ("/", 404),
        ("", 404),
        ("/TODO/todos", 404),
        ("/health", ("", "/health")),
        ("/health/ready", ("", "/health/ready")),
        ("/todo/health", ("/todo", "/health")),
        ("/healthy", 404),
    ],
)
def test_whole_segments_decide(path, expected):
    assert mounted("/todo", path) == expected


def test_server_that_split_already_is_understood():
    assert mounted("/todo", "/todos", script_name="/todo") == ("/todo", "/todos")


@given(st.lists(SEGMENT, max_size=3), st.lists(SEGMENT, max_size=4))
def test_paths_inside_arrive_and_paths_outside_do_not(prefix, path):
    mount = "".join(f"/{segment}" for segment in prefix)
    asked = "".join(f"/{segment}" for segment in path)
    inside = path[: len(prefix)] == prefix
    assert mounted(mount, asked) == ((mount, asked[len(mount) :]) if inside else 404)


@pytest.fixture(params=["", PREFIX], ids=["no prefix", "prefix"])
def placed(request, make_app):
    return make_app(SCRIPT_NAME=request.param), request.param


@pytest.mark.parametrize("name", ["alice", "ada"])
def test_no_page_links_outside_the_prefix(placed, login, cast, name):
    app, prefix = placed
    todo = create_todo(cast.alice, assignees=[cast.ada])
    create_attachment(todo)
    create_job(getattr(cast, name), "succeeded")
    client, start = login(name, on=app), f"{prefix}/todos"
    adapter, waiting, seen = app.url_map.bind("localhost"), [start], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = client.get(path.removeprefix(prefix))
        assert answer.status_code < 400, path
        if "text/html" not in answer.content_type:
            continue
        for link in re.findall(r'(?:href|src|action|data-[a-z]+)="([^"#]+)', answer.text):
            parts = urlsplit(link.replace("&amp;", "&"))
            assert not parts.netloc, (path, link)
            if parts.path.startswith("/"):
                assert parts.path.startswith(prefix + "/"), (path, link)
            follow = parts.path.startswith("/") and not parts.query and "/static/" not in parts.path
            if follow and adapter.test(parts.path.removeprefix(prefix), "GET"):
                waiting += [parts.path] * (parts.path not in seen and parts.path not in waiting)
    assert len(seen) > 10


def test_redirects_and_cookie_stay_inside(placed, login):
    app, prefix = placed
    answer = app.test_client().get("/todos")
    assert answer.headers["Location"].startswith(f"{prefix}/login/?next={prefix}/todos")
    page = app.test_client().get("/login/")
    assert f"Path={prefix or '/'}" in page.headers["Set-Cookie"]
    assert page.headers["Set-Cookie"].startswith("todos_session=")
