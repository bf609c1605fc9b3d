"""Lists of todos: the row rule of the pages, filters, orders and cursors."""

from datetime import date, timedelta

import pytest
from sqlalchemy import insert

from app.db import transaction, utcnow
from app.extensions import db
from app.models import Todo
from app.services import todos
from tests.api.conftest import check_problem
from tests.conftest import count_queries
from tests.factories import create_todo


def titles(ask, query=""):
    """Return the titles that the API lists."""
    answer = ask("GET", f"/todos/{query}")
    assert answer.status_code == 200, answer.text
    return [row["title"] for row in answer.json["result"]]


@pytest.fixture
def three(cast, viewer):
    """Todos: Alice's, Charlie's that Bob is assigned to, Charlie's own; and one in the trash."""
    found = [create_todo(cast.alice, "Alice's"), create_todo(cast.charlie, "Shared", assignees=[cast.bob])]
    found.append(create_todo(cast.charlie, "Charlie's"))
    todos.delete_todos(viewer("charlie"), [create_todo(cast.charlie, "Deleted").id])
    return found


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("alice", ["Alice's"]),
        ("bob", ["Shared"]),
        ("charlie", ["Charlie's", "Shared"]),
        ("vera", ["Charlie's", "Shared", "Alice's"]),
        ("ada", ["Charlie's", "Shared", "Alice's"]),
    ],
)
def test_everybody_reads_what_the_pages_show_them(program, three, name, wanted):
    ask = program(name, "read")
    assert titles(ask) == wanted
    for todo in three:
        assert ask("GET", f"/todos/{todo.id}").status_code == (200 if todo.title in wanted else 404)


def test_todo_is_complete_and_tells_of_people_their_names_only(program, cast):
    todo = create_todo(cast.alice, "Plants", notes="All", due_on=date(2030, 1, 2), assignees=[cast.bob])
    facts = program("alice")("GET", f"/todos/{todo.id}").json
    known = {"title": "Plants", "notes": "All", "priority": "normal", "due_on": "2030-01-02", "complete": False}
    known |= {"id": todo.id, "owner": "alice", "assignees": ["bob"], "tags": [], "attachments": [], "version": 1}
    assert {name: facts[name] for name in known} == known
    assert set(facts) - set(known) == {"completed_at", "created_at", "updated_at"}
    assert facts["created_at"].endswith("+00:00")


def test_trash_lists_what_one_may_restore(program, three):
    assert titles(program("charlie"), "?deleted=true") == ["Deleted"]
    assert titles(program("alice"), "?deleted=true") == []
    assert titles(program("ada"), "?deleted=true") == ["Deleted"]


@pytest.fixture
def several(cast, viewer):
    """Alice's todos, each of its own kind."""
    day = date(2030, 5, 1)
    create_todo(cast.alice, "Plain")
    create_todo(cast.alice, "Done", complete=True)
    create_todo(cast.alice, "Urgent", priority=0, due_on=day)
    create_todo(cast.alice, "Bob's too", assignees=[cast.bob], due_on=day + timedelta(days=1))
    create_todo(cast.bob, "Of Bob", assignees=[cast.alice], notes="100% sure")
    todos.create(viewer("alice"), title="Tagged", tag_names=["Garden"])


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("complete=true", {"Done"}),
        ("complete=false&priority=urgent", {"Urgent"}),
        ("owner=BOB", {"Of Bob"}),
        ("assignee=bob", {"Bob's too"}),
        ("tag=garden", {"Tagged"}),
        ("due_from=2030-05-01", {"Urgent", "Bob's too"}),
        ("due_from=2030-05-02&due_to=2030-05-02", {"Bob's too"}),
        ("text=100%25", {"Of Bob"}),
        ("text=%25", {"Of Bob"}),
        ("text=_", set()),
        ("changed_since=2999-01-01T00:00:00Z", set()),
        ("owner=nobody", set()),
    ],
)
def test_filters_narrow_the_list(program, several, query, wanted):
    assert set(titles(program("alice"), f"?{query}")) == wanted


def test_changes_since_an_instant_are_listed(program, several, cast):
    since = utcnow()
    with transaction() as session:
        session.query(Todo).filter_by(title="Plain").one().notes = "changed"
    asked = since.isoformat().replace("+00:00", "Z")
    assert titles(program("alice"), f"?changed_since={asked}") == ["Plain"]


@pytest.mark.parametrize("sort", ["id", "-id", "title", "-title", "priority", "-priority", "due_on", "-due_on"])
def test_cursor_walks_through_every_row_once_in_every_order(program, cast, sort):
    for number in range(7):
        due = date(2030, 1, 1 + number % 3) if number % 2 else None
        create_todo(cast.alice, f"Todo {number % 4}", priority=number % 3, due_on=due)
    ask, found, cursor = program("alice"), [], ""
    whole = [row["id"] for row in ask("GET", f"/todos/?sort={sort}").json["result"]]
    while cursor is not None:
        part = ask("GET", f"/todos/?sort={sort}&limit=2&cursor={cursor}").json
        found += [row["id"] for row in part["result"]]
        cursor = part["next"]
    assert found == whole
    assert len(found) == 7


def test_cursor_stays_true_while_rows_are_added(program, cast):
    for number in range(3):
        create_todo(cast.alice, f"Todo {number}")
    ask = program("alice")
    first = ask("GET", "/todos/?limit=2").json
    create_todo(cast.alice, "New")
    second = ask("GET", f"/todos/?limit=2&cursor={first['next']}").json
    assert [row["title"] for row in first["result"] + second["result"]] == ["Todo 2", "Todo 1", "Todo 0"]


DAMAGED = [
    *(
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=%D9%A1",
        "limit=1&limit=2",
        "page=1",
        "q=(",
        "sort=owner",
    ),
    *("sort=password", "sort=", "complete=1", "complete=yes", "priority=7", "due_from=tomorrow", "due_to=2030-13-01"),
    *(
        "changed_since=2030-01-01",
        "changed_since=0001-01-01T00:00:00%2B14:00",
        "owner=%00",
        "owner=",
        "text=" + "x" * 201,
    ),
    *("cursor=x", "cursor=!!", "cursor=W10", "cursor=" + "x" * 2001, "cursor=WyJ0aXRsZSIsICJhIiwgMV0"),
    *("cursor=WyItaWQiLCAieCIsIDFd", "cursor=WyItaWQiLCAiMSIsIDk5OTk5OTk5OTk5OTldcg", "cursor=bnVsbA"),
]


def is_cursor(query):
    """Tell whether it is a cursor that has the right form."""
    return query.startswith("cursor=") and len(query) < 2000


def test_damaged_query_is_the_fault_of_whoever_sent_it(program):
    ask = program("alice")
    for query in DAMAGED:
        problem = check_problem(ask("GET", f"/todos/?{query}"), 422 if is_cursor(query) else 400)
        assert "errors" in problem or "%00" in query, query


def test_page_is_never_larger_than_a_hundred(program, cast):
    db.session.execute(insert(Todo), [{"title": f"Todo {n}", "owner_id": cast.alice.id} for n in range(120)])
    db.session.commit()
    assert len(titles(program("alice"), "?limit=100")) == 100
    assert len(titles(program("alice"))) == 50


@pytest.mark.parametrize("count", [3, 300])
def test_lists_and_reads_cost_the_same_however_many_there_are(program, cast, count):
    rows = [{"title": f"Todo {n}", "owner_id": cast.alice.id} for n in range(count)]
    ids = list(db.session.scalars(insert(Todo).returning(Todo.id), rows))
    db.session.commit()
    ask, costs = program("alice"), {}
    for path in ("/todos/", "/todos/?limit=100&sort=due_on&complete=false", f"/todos/{ids[0]}"):
        ask("GET", path)
        with count_queries() as statements:
            ask("GET", path)
        costs[path] = len(statements)
    assert list(costs.values()) == [5, 5, 4]


@pytest.mark.parametrize("pk", ["999999", "-1", "x", "99999999999999999999", "%00", "١"])
def test_todo_that_does_not_exist_is_a_problem(program, pk):
    check_problem(program("alice")("GET", f"/todos/{pk}"), 404)


def test_read_todo_has_a_tag_that_saves_the_next_reading(program, cast):
    todo, ask = create_todo(cast.alice), program("alice")
    first = ask("GET", f"/todos/{todo.id}")
    again = ask("GET", f"/todos/{todo.id}", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    assert first.headers["Cache-Control"] == "no-store"
    with transaction():
        todo.title = "Changed"
    assert ask("GET", f"/todos/{todo.id}", If_None_Match=first.headers["ETag"]).status_code == 200


def test_program_that_wants_no_json_is_told(program):
    check_problem(program("alice")("GET", "/todos/", Accept="text/html"), 406)
    assert program("alice")("GET", "/todos/", Accept="text/html, */*;q=0.1").status_code == 200


def test_role_without_the_right_is_refused(program, cast):
    ask = program("charlie")
    with transaction():
        cast.charlie.roles = []
    check_problem(ask("GET", "/todos/"), 403)
