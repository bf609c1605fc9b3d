"""What programs do to todos: by the rights of the pages, without overwriting anybody."""

import json
import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.db import transaction, utcnow
from app.extensions import db
from app.models import IdempotencyKey, Todo
from app.services import todos
from tests.api.conftest import check_problem
from tests.conftest import count_queries
from tests.factories import bearer, create_key, create_todo


def fresh(todo):
    """Return a todo as it is now."""
    db.session.expire_all()
    return db.session.get(Todo, todo.id)


def tag_of(ask, todo):
    """Return the entity tag of a todo."""
    return ask("GET", f"/todos/{todo.id}").headers["ETag"]


def count():
    return db.session.scalar(select(func.count()).select_from(Todo))


WHOLE = {
    "title": "  Water the plants ",
    "notes": "All\r\nof them",
    "priority": "urgent",
    "due_on": "2030-01-31",
    "assignees": ["BOB", "bob", "charlie"],
    "tags": ["Garden", "new"],
}


def test_todo_is_added_with_everything(program, cast):
    ask = program("alice")
    answer = ask("POST", "/todos/", WHOLE)
    assert answer.status_code == 201
    found = answer.json
    assert (found["title"], found["notes"], found["priority"]) == ("Water the plants", "All\nof them", "urgent")
    assert (found["due_on"], found["owner"], found["complete"]) == ("2030-01-31", "alice", False)
    assert (found["assignees"], found["tags"]) == (["bob", "charlie"], ["Garden", "new"])
    assert answer.headers["Location"] == f"/api/v1/todos/{found['id']}"
    again = ask("GET", f"/todos/{found['id']}")
    assert (again.json, again.headers["ETag"]) == (found, answer.headers["ETag"])


def test_member_adds_for_nobody_else_and_a_manager_does(program, cast):
    body = {"title": "Plants", "owner": "bob"}
    check_problem(program("alice")("POST", "/todos/", body), 403)
    assert program("max")("POST", "/todos/", body).json["owner"] == "bob"
    check_problem(program("vera")("POST", "/todos/", {"title": "Plants"}), 403)


UNUSABLE = [
    ({}, "title"),
    ({"title": ""}, "title"),
    ({"title": " \u3000"}, "title"),
    ({"title": "x" * 201}, "title"),
    ({"title": "a\x00b"}, "title"),
    ({"title": "a\nb"}, "title"),
    ({"title": "a\n"}, "title"),
    ({"title": 7}, "title"),
    ({"title": None}, "title"),
    ({"title": "x", "notes": "x" * 20_001}, "notes"),
    ({"title": "x", "notes": "\x07"}, "notes"),
    ({"title": "x", "priority": 1}, "priority"),
    ({"title": "x", "priority": "whatever"}, "priority"),
    ({"title": "x", "due_on": "31.1.2030"}, "due_on"),
    ({"title": "x", "due_on": "2030-02-30"}, "due_on"),
    ({"title": "x", "complete": "true"}, "complete"),
    ({"title": "x", "complete": 1}, "complete"),
    ({"title": "x", "assignees": "bob"}, "assignees"),
    ({"title": "x", "assignees": ["nobody"]}, "assignees"),
    ({"title": "x", "assignees": [None]}, "assignees"),
    ({"title": "x", "tags": ["a,b"]}, "tags"),
    ({"title": "x", "tags": ["x" * 51]}, "tags"),
    ({"title": "x", "tags": [f"t{n}" for n in range(21)]}, "tags"),
    *(
        ({"title": "x", name: 1}, name)
        for name in ("id", "version", "owner_id", "deleted_at", "completed_at", "created_at", "attachments", "is_admin")
    ),
]


@pytest.mark.parametrize(("body", "field"), UNUSABLE, ids=lambda value: str(value)[:40])
def test_unusable_todo_is_refused_by_field_and_changes_nothing(program, cast, body, field):
    todo, ask = create_todo(cast.alice), program("alice")
    status = 422 if body.get("assignees") == ["nobody"] else 400
    problem = check_problem(ask("POST", "/todos/", body), status)
    assert field in problem["errors"]
    if body:
        check_problem(ask("PATCH", f"/todos/{todo.id}", body, If_Match=tag_of(ask, todo)), status)
    assert count() == 1
    assert (fresh(todo).version, todo.title) == (1, "Water the plants")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "nonsense",
        '{"title": "\\ud800"}',
        "[" * 100_000,
        '{"title": ' + "9" * 5000 + "}",
        "\xff",
        "null",
        '"x"',
        "[]",
    ],
    ids=lambda value: value[:12],
)
def test_damaged_json_is_the_fault_of_whoever_sent_it(app, cast, raw):
    headers = bearer(create_key(cast.alice)) | {"Content-Type": "application/json"}
    check_problem(app.test_client().post("/api/v1/todos/", data=raw.encode("latin-1"), headers=headers), 400)


def test_only_json_of_moderate_size_is_read(app, cast):
    headers, client = bearer(create_key(cast.alice)), app.test_client()
    body = json.dumps({"title": "Plants"})
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        check_problem(client.post("/api/v1/todos/", data=body, headers=headers, content_type=kind), 415)
    check_problem(client.post("/api/v1/todos/", data={"title": "Plants"}, headers=headers), 415)
    large = json.dumps({"title": "x", "notes": "x" * (1 << 20)})
    check_problem(client.post("/api/v1/todos/", data=large, headers=headers, content_type="application/json"), 413)
    assert count() == 0


def test_change_names_only_what_changes(program, cast):
    todo, ask = create_todo(cast.alice, notes="Keep", assignees=[cast.bob]), program("alice")
    answer = ask("PATCH", f"/todos/{todo.id}", {"title": "New", "complete": True}, If_Match=tag_of(ask, todo))
    assert answer.status_code == 200
    known = (answer.json["title"], answer.json["notes"], answer.json["assignees"], answer.json["complete"])
    assert known == ("New", "Keep", ["bob"], True)
    assert answer.json["completed_at"]
    assert answer.headers["ETag"] == tag_of(ask, todo)
    assert fresh(todo).version == 2
    assert ask("PATCH", f"/todos/{todo.id}", {"due_on": None}, If_Match="*").status_code == 200


@pytest.mark.parametrize(
    "body", [{"tags": ["x"]}, {"assignees": ["bob"]}, {"notes": "n"}, {"priority": "low"}], ids=str
)
def test_stale_change_is_refused_whatever_had_changed(program, cast, body):
    todo, ask, other = create_todo(cast.alice), program("alice"), program("max")
    seen = tag_of(ask, todo)
    assert other("PATCH", f"/todos/{todo.id}", body, If_Match=seen).status_code == 200
    check_problem(ask("PATCH", f"/todos/{todo.id}", {"title": "Mine"}, If_Match=seen), 412)
    check_problem(ask("DELETE", f"/todos/{todo.id}", If_Match=seen), 412)
    assert fresh(todo).title == "Water the plants"
    assert ask("PATCH", f"/todos/{todo.id}", {"title": "Mine"}, If_Match=tag_of(ask, todo)).status_code == 200


def test_change_without_a_condition_is_refused(program, cast):
    todo, ask = create_todo(cast.alice), program("alice")
    check_problem(ask("PATCH", f"/todos/{todo.id}", {"title": "New"}), 428)
    for tag in ('"nonsense"', "nonsense", f"W/{tag_of(ask, todo)}", ""):
        check_problem(ask("PATCH", f"/todos/{todo.id}", {"title": "New"}, If_Match=tag), 412)
    assert fresh(todo).title == "Water the plants"


def test_assignee_changes_but_does_not_share_hand_over_or_delete(program, cast):
    todo, ask = create_todo(cast.alice, assignees=[cast.bob]), program("bob")
    change = lambda body: ask("PATCH", f"/todos/{todo.id}", body, If_Match=tag_of(ask, todo))  # noqa: E731
    check_problem(change({"assignees": ["bob", "charlie"]}), 403)
    check_problem(change({"owner": "bob"}), 403)
    check_problem(ask("DELETE", f"/todos/{todo.id}"), 403)
    assert change({"title": "New", "assignees": ["bob"]}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", ""), ("DELETE", ""), ("POST", "/complete"), ("POST", "/restore")]
)
def test_stranger_finds_nothing_and_viewer_may_not(program, cast, method, path):
    todo = create_todo(cast.alice)
    body = {"title": "New"} if method == "PATCH" else None
    check_problem(program("charlie")(method, f"/todos/{todo.id}{path}", body, If_Match="*"), 404)
    check_problem(program("vera")(method, f"/todos/{todo.id}{path}", body, If_Match="*"), 403)
    assert fresh(todo).version == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/todos/", {"title": "x"}),
        ("PATCH", "/todos/{}", {"title": "x"}),
        ("DELETE", "/todos/{}", None),
        ("POST", "/todos/{}/complete", None),
        ("POST", "/todos/bulk", {"action": "delete", "todos": [{"id": 1}]}),
    ],
)
def test_key_that_may_only_read_changes_nothing(program, cast, method, path, body):
    todo = create_todo(cast.alice)
    answer = program("alice", "read")(method, path.format(todo.id), body, If_Match="*")
    check_problem(answer, 403)
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    assert (fresh(todo).version, count()) == (1, 1)


def test_deleted_todo_waits_in_the_trash(program, cast):
    todo, ask = create_todo(cast.alice), program("alice")
    assert ask("DELETE", f"/todos/{todo.id}").status_code == 204
    check_problem(ask("GET", f"/todos/{todo.id}"), 404)
    check_problem(ask("DELETE", f"/todos/{todo.id}"), 404)
    assert ask("POST", f"/todos/{todo.id}/restore").json["title"] == "Water the plants"
    check_problem(ask("POST", f"/todos/{todo.id}/restore"), 404)


def test_completing_twice_does_no_harm(program, cast):
    todo, ask = create_todo(cast.alice), program("alice")
    first, second = (ask("POST", f"/todos/{todo.id}/complete").json for _ in range(2))
    assert (first["complete"], first) == (True, second)
    assert ask("POST", f"/todos/{todo.id}/reopen").json["complete"] is False


def test_bulk_does_the_rest_and_reports_stale_and_foreign_ones(program, cast, viewer):
    mine, changed, foreign, gone = (create_todo(cast.alice, f"{n}") for n in range(4))
    theirs = create_todo(cast.charlie)
    with transaction():
        foreign.owner, changed.title = cast.charlie, "Changed"
    todos.delete_todos(viewer("alice"), [gone.id])
    chosen = [{"id": row.id, "version": 1} for row in (mine, changed, foreign, gone, theirs)]
    chosen += [{"id": 999999}]
    answer = program("alice")("POST", "/todos/bulk", {"action": "complete", "todos": chosen})
    assert answer.json["done"] == [mine.id]
    assert answer.json["stale"] == [changed.id]
    assert sorted(answer.json["left"]) == sorted([foreign.id, gone.id, theirs.id, 999999])
    assert [fresh(row).complete for row in (mine, changed, foreign, gone, theirs)] == [True, False, False, False, False]


@pytest.mark.parametrize("action", ["complete", "reopen", "delete", "restore"])
def test_bulk_costs_the_same_however_many_there_are(program, cast, viewer, action):
    ask, costs = program("alice"), []
    for size in (3, 300):
        rows = [create_todo(cast.alice, complete=action == "reopen") for _ in range(3)] if size == 3 else []
        ids = [row.id for row in rows] or many(cast.alice, size, complete=action == "reopen")
        if action == "restore":
            todos.delete_todos(viewer("alice"), ids)
        with count_queries() as statements:
            answer = ask("POST", "/todos/bulk", {"action": action, "todos": [{"id": pk} for pk in ids]})
        assert sorted(answer.json["done"]) == sorted(ids)
        costs.append(len(statements))
    assert costs[1] <= costs[0]


def many(owner, size, complete):
    """Add many todos and return their ids."""
    with transaction() as session:
        rows = [Todo(title=f"{n}", owner=owner, complete=complete) for n in range(size)]
        session.add_all(rows)
    return [row.id for row in rows]


def test_same_request_with_the_same_key_adds_once(program, cast):
    ask = program("alice")
    first, second = (ask("POST", "/todos/", {"title": "Once"}, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json
    assert second.headers["Idempotency-Replayed"] == "true"
    assert [second.headers[name] for name in ("Location", "ETag")] == [
        first.headers[name] for name in ("Location", "ETag")
    ]
    check_problem(ask("POST", "/todos/", {"title": "Other"}, Idempotency_Key="k1"), 422)
    assert program("bob")("POST", "/todos/", {"title": "Other"}, Idempotency_Key="k1").status_code == 201
    assert count() == 2


def test_failed_request_may_be_sent_again_with_its_key(program, cast):
    ask = program("alice")
    check_problem(ask("POST", "/todos/", {"title": "x", "assignees": ["dora"]}, Idempotency_Key="k2"), 422)
    assert db.session.scalar(select(IdempotencyKey)) is None
    assert ask("POST", "/todos/", {"title": "x"}, Idempotency_Key="k2").status_code == 201


def test_request_that_is_under_way_is_not_done_twice_but_taken_over_from_the_dead(program, cast):
    ask = program("alice")
    ask("POST", "/todos/", {"title": "x"}, Idempotency_Key="k3")
    with transaction() as session:
        row = session.scalar(select(IdempotencyKey))
        row.status = row.body = None
    check_problem(ask("POST", "/todos/", {"title": "x"}, Idempotency_Key="k3"), 409)
    with transaction():
        row.claimed_at = utcnow() - timedelta(minutes=3)
    assert ask("POST", "/todos/", {"title": "x"}, Idempotency_Key="k3").status_code == 201
    assert count() == 2


def test_requests_at_once_with_the_same_key_add_once(program, cast):
    ask, statuses = program("alice"), []
    ask("GET", "/todos/")

    def add():
        statuses.append(ask("POST", "/todos/", {"title": "x"}, Idempotency_Key="k4").status_code)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert count() == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "\xe9"])
def test_unusable_idempotency_key_is_refused(program, cast, key):
    check_problem(program("alice")("POST", "/todos/", {"title": "x"}, Idempotency_Key=key), 400)
    assert count() == 0


def test_session_needs_the_csrf_token_and_a_key_does_not(login, cast):
    client = login("alice")
    refused = client.post("/api/v1/todos/", json={"title": "x"})
    assert "another site" in check_problem(refused, 400)["detail"]
    answer = client.post("/api/v1/todos/", json={"title": "x"}, headers={"X-CSRFToken": client.token()})
    assert answer.status_code == 201
    assert client.post("/api/v1/todos/", json={"title": "x"}, headers=bearer("todos_x")).status_code == 401


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_method_that_an_address_does_not_know_gets_405_with_those_it_does(program, cast, method):
    answer = program("alice")(method, f"/todos/{create_todo(cast.alice).id}", {})
    check_problem(answer, 405)
    assert {"GET", "PATCH", "DELETE"} <= set(answer.headers["Allow"].replace(",", " ").split())


def test_writing_costs_few_statements(program, cast):
    ask, costs = program("alice"), {}
    todo = create_todo(cast.alice)
    for name, request in {
        "add": ("POST", "/todos/", {"title": "x"}),
        "change": ("PATCH", f"/todos/{todo.id}", {"title": "y"}),
        "complete": ("POST", f"/todos/{todo.id}/complete"),
        "delete": ("DELETE", f"/todos/{todo.id}"),
    }.items():
        with count_queries() as statements:
            assert ask(*request, If_Match="*").status_code < 300
        costs[name] = len(statements)
    assert max(costs.values()) <= 14, costs
