"""Comments, tags and the audit trail by the API."""

import pytest

from tests.api.conftest import check_problem
from tests.factories import create_todo


def test_comment_is_written_read_changed_and_deleted_by_its_author(program, cast):
    todo, ask = create_todo(cast.alice, assignees=[cast.bob]), program("bob")
    made = ask("POST", "/comments/", {"todo_id": todo.id, "body": "Look, @alice"})
    assert (made.status_code, made.json["author"], made.json["body"]) == (201, "bob", "Look, @alice")
    path = f"/comments/{made.json['id']}"
    assert program("alice")("GET", f"/comments/?todo_id={todo.id}").json["result"] == [made.json]
    check_problem(program("alice")("PATCH", path, {"body": "Mine"}), 403)
    check_problem(program("charlie")("DELETE", path), 404)
    assert ask("PATCH", path, {"body": "Changed"}).json["body"] == "Changed"
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", f"/comments/?todo_id={todo.id}").json["result"] == []


@pytest.mark.parametrize(
    "body", [{"body": "x"}, {"todo_id": 1}, {"todo_id": 1, "body": " "}, {"todo_id": 1, "body": "\x00"}]
)
def test_unusable_comment_is_refused(program, body):
    check_problem(program("ada")("POST", "/comments/", body), 400)


def test_comments_follow_the_row_rule_and_the_scope(program, cast):
    todo = create_todo(cast.alice)
    check_problem(program("charlie")("GET", f"/comments/?todo_id={todo.id}"), 404)
    check_problem(program("charlie")("POST", "/comments/", {"todo_id": todo.id, "body": "x"}), 404)
    check_problem(program("vera")("POST", "/comments/", {"todo_id": todo.id, "body": "x"}), 403)
    check_problem(program("alice", "read")("POST", "/comments/", {"todo_id": todo.id, "body": "x"}), 403)


def test_same_comment_with_the_same_key_is_written_once(program, cast):
    todo, ask = create_todo(cast.alice), program("alice")
    for _ in range(2):
        ask("POST", "/comments/", {"todo_id": todo.id, "body": "Once"}, Idempotency_Key="c1")
    assert len(ask("GET", f"/comments/?todo_id={todo.id}").json["result"]) == 1


def test_tags_are_listed_by_name(program, cast):
    ask = program("alice")
    ask("POST", "/todos/", {"title": "x", "tags": ["Garden", "balcony", "Gate"]})
    assert [row["name"] for row in ask("GET", "/tags/").json["result"]] == ["balcony", "Garden", "Gate"]
    assert [row["name"] for row in ask("GET", "/tags/?text=GA&limit=1").json["result"]] == ["Garden"]


def test_audit_trail_is_read_with_the_scope_admin_only(program, cast):
    todo = create_todo(cast.alice)
    program("alice")("PATCH", f"/todos/{todo.id}", {"title": "New"}, If_Match="*")
    for name, scope in (("alice", "admin"), ("max", "write"), ("ada", "read")):
        check_problem(program(name, scope)("GET", "/audit/"), 403)
    entry = program("max", "admin")("GET", f"/audit/?todo_id={todo.id}&action=changed").json["result"][0]
    assert entry["changes"]["title"] == ["Water the plants", "New"]
    assert (entry["actor_id"], entry["row_id"]) == (cast.alice.id, todo.id)
    assert program("ada", "admin")("GET", "/audit/?kind=security").json["result"]
    assert program("max", "admin")("GET", "/audit/?kind=security").json["result"] == []
