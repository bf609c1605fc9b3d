"""The REST API: the row rule of the pages, capped, described, and with problems as JSON."""

import re
from datetime import date

import pytest
from sqlalchemy import insert

from app.extensions import db
from app.models import Todo
from app.services import todos
from tests.conftest import PREFIX
from tests.factories import create_todo

PATH = "/api/v1/todos/"


@pytest.fixture
def three(cast, viewer):
    """Todos: Alice's, Charlie's that Bob is assigned to, Charlie's own; and one in the trash."""
    found = [create_todo(cast.alice, "Alice's"), create_todo(cast.charlie, "Shared", assignees=[cast.bob])]
    found.append(create_todo(cast.charlie, "Charlie's"))
    todos.delete_todos(viewer("charlie"), [create_todo(cast.charlie, "Deleted").id])
    return found


def titles(client, query=""):
    """Return the titles that the API lists."""
    answer = client.get(PATH + query)
    assert answer.status_code == 200
    found = answer.get_json()
    assert found["count"] == len(found["result"]) or found["count"] > 100
    return [row["title"] for row in found["result"]]


def check_problem(answer, status):
    """Check that an answer is a problem as RFC 9457 has it."""
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["status"] == status
    assert answer.get_json()["detail"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("alice", ["Alice's"]),
        ("bob", ["Shared"]),
        ("charlie", ["Charlie's", "Shared"]),
        ("vera", ["Charlie's", "Shared", "Alice's"]),
        ("max", ["Charlie's", "Shared", "Alice's"]),
        ("ada", ["Charlie's", "Shared", "Alice's"]),
    ],
)
def test_everybody_reads_what_the_pages_show_them(login, three, name, wanted):
    client = login(name)
    assert titles(client) == wanted
    for todo in three:
        assert client.get(f"{PATH}{todo.id}").status_code == (200 if todo.title in wanted else 404)


def test_filter_does_not_widen_what_is_seen(login, three):
    client = login("alice")
    assert titles(client, "?q=(filters:!((col:title,opr:ct,value:a)))") == ["Alice's"]
    assert titles(client, "?q=(filters:!((col:title,opr:ct,value:Charlie)))") == []


def test_todo_is_complete_and_tells_of_people_their_names_only(login, cast):
    todo = create_todo(cast.alice, "Plants", notes="All", due_on=date(2030, 1, 2), assignees=[cast.bob])
    facts = login("alice").get(f"{PATH}{todo.id}").get_json()["result"]
    assert (facts["title"], facts["notes"], facts["priority"], facts["due_on"]) == ("Plants", "All", 2, "2030-01-02")
    assert (facts["owner_username"], facts["assignee_usernames"]) == ("alice", ["bob"])
    assert "@" not in str(facts)
    assert (facts["complete"], facts["version"]) == (False, 1)


def test_deleted_todo_is_gone(login, cast, viewer):
    todo = create_todo(cast.alice)
    todos.delete_todos(viewer("alice"), [todo.id])
    assert login("alice").get(f"{PATH}{todo.id}").status_code == 404


@pytest.mark.parametrize("size", ["1000000", "-1", "0", "101"])
def test_page_is_never_larger_than_a_hundred(login, cast, size):
    db.session.execute(insert(Todo), [{"title": f"Todo {n}", "owner_id": cast.alice.id} for n in range(120)])
    db.session.commit()
    answer = login("alice").get(f"{PATH}?q=(page_size:{size})")
    assert answer.status_code == 200
    assert len(answer.get_json()["result"]) <= 100
    assert answer.get_json()["count"] == 120


def test_pages_follow_each_other(login, cast):
    for number in range(5):
        create_todo(cast.alice, f"Todo {number}")
    client = login("alice")
    pages = [titles_of(client, page) for page in range(3)]
    assert pages == [["Todo 4", "Todo 3"], ["Todo 2", "Todo 1"], ["Todo 0"]]


def titles_of(client, page):
    """Return the titles of one page of two."""
    found = client.get(f"{PATH}?q=(page:{page},page_size:2)").get_json()["result"]
    return [row["title"] for row in found]


DAMAGED = [
    *("(", ")", "(((", "!", "(a:", "'", "(page:x)", "(page_size:x)", "(page:!n)", "!(1,2)", "text", "1", "(a:" * 500),
    *("(order_column:nothing)", "(order_column:password)", "(order_column:owner.password,order_direction:asc)"),
    *("(order_column:title,order_direction:sideways)", "(order_column:(a:b))", "(columns:x)", "(columns:!((a:b)))"),
    *("(filters:!((col:password,opr:eq,value:x)))", "(filters:!((col:owner,opr:rel_o_m,value:1)))"),
    *(
        "(filters:!((col:title)))",
        "(filters:x)",
        "(filters:!(x))",
        "(keys:x)",
        "(page:-1)",
        "(page:99999999999999999999)",
    ),
]
HARMLESS = [
    *("(nothing:1)", "(page:9999999)", "(filters:!((col:title,opr:nothing,value:x)))", "()", ""),
    *("(filters:!((col:due_on,opr:eq,value:x)))", "(filters:!((col:priority,opr:gt,value:x)))"),
]


def test_damaged_query_is_the_fault_of_whoever_sent_it(login):
    client = login("alice")
    statuses = {query: client.get(PATH, query_string={"q": query}).status_code for query in DAMAGED}
    assert {query[:40]: status for query, status in statuses.items() if status not in (400, 422)} == {}


def test_page_before_the_first_is_no_error_of_ours(login):
    assert login("alice").get(f"{PATH}?q=(page:-1)").status_code in (200, 400, 422)


def test_odd_query_is_answered(login):
    client = login("alice")
    statuses = {query: client.get(PATH, query_string={"q": query}).status_code for query in HARMLESS}
    assert set(statuses.values()) == {200}


@pytest.mark.parametrize("query", ["(", "(page:x)", "(filters:!((col:password,opr:eq,value:x)))", "(order_column:no)"])
def test_damaged_query_is_a_problem(login, query):
    check_problem(login("alice").get(PATH, query_string={"q": query}), 400)


@pytest.mark.parametrize("column", ["password", "owner.password", "owner.email", "owner.session_stamp", "deleted_at"])
def test_columns_that_are_not_offered_are_not_given(login, cast, column):
    create_todo(cast.alice)
    answer = login("alice").get(f"{PATH}?q=(columns:!(title,{column}))")
    assert column.rpartition(".")[2] not in str(answer.get_json().get("result"))


@pytest.mark.parametrize("pk", ["999999", "-1", "x", "99999999999999999999", "%00", "١"])
def test_todo_that_does_not_exist_is_a_problem(login, pk):
    check_problem(login("alice").get(f"{PATH}{pk}"), 404)


@pytest.mark.parametrize("path", [PATH, f"{PATH}1", "/api/v1/_openapi"])
def test_stranger_gets_401_as_json(app, path):
    check_problem(app.test_client().get(path), 401)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}{{}}"])
def test_api_changes_nothing(login, cast, method, path):
    todo = create_todo(cast.alice)
    answer = getattr(login("alice"), method)(path.format(todo.id), json={"title": "Changed"})
    check_problem(answer, 405)
    db.session.expire_all()
    assert db.session.get(Todo, todo.id).title == "Water the plants"


def test_role_without_the_right_is_refused(login, cast):
    cast.charlie.roles = []
    db.session.commit()
    check_problem(login("charlie").get(PATH), 403)


@pytest.mark.parametrize(("prefix", "server"), [("", "/"), (PREFIX, PREFIX)])
def test_description_names_the_server_with_its_prefix(login, make_app, prefix, server):
    client = login("alice", make_app(SCRIPT_NAME=prefix))
    answer = client.get("/api/v1/_openapi")
    assert answer.status_code == 200
    description = answer.get_json()
    assert description["servers"] == [{"url": server}]
    assert {"/api/v1/todos/", "/api/v1/todos/{pk}"} <= set(description["paths"])
    assert set(description["paths"]["/api/v1/todos/"]) == {"get"}


def test_page_to_try_the_api_out_stays_under_the_prefix(login, make_app):
    answer = login("alice", make_app(SCRIPT_NAME=PREFIX)).get("/swagger/v1")
    assert answer.status_code == 200
    links = re.findall(r'(?:href|src|action)="([^"#]+)"', answer.text)
    assert len(links) > 3
    assert [link for link in links if not link.startswith(f"{PREFIX}/")] == []
    assert f'data-document="{PREFIX}/api/v1/_openapi"' in answer.text
