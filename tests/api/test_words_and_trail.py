"""Comments, tags and the audit trail by the API."""

from threading import Thread

import pytest

from app.models.tags import COLOURS
from tests.api.conftest import check_problem
from tests.factories import create_tag, create_todo


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


def test_manager_keeps_the_tags_in_order(program, cast):
    todo, ask = create_todo(cast.alice), program("max")
    create_tag("gardn", todo)
    made = ask("POST", "/tags/", {"name": "Garden"})
    assert (made.status_code, made.json["name"], made.json["colour"] in COLOURS) == (201, "Garden", True)
    path, etag = f"/tags/{made.json['id']}", made.headers["ETag"]
    check_problem(ask("PATCH", path, {"colour": "red"}), 428)
    changed = ask("PATCH", path, {"colour": "red"}, If_Match=etag)
    assert changed.json == made.json | {"colour": "red"}
    check_problem(ask("PATCH", path, {"name": "Yard"}, If_Match=etag), 412)
    check_problem(ask("POST", "/tags/", {"name": "GARDEN"}), 409)
    check_problem(ask("POST", "/tags/", {"name": "#"}), 422)
    wrong = ask("GET", "/tags/?text=gardn").json["result"][0]["id"]
    check_problem(ask("POST", f"{path}/merge", {"tags": [wrong, wrong + 1000]}), 422)
    assert ask("POST", f"{path}/merge", {"tags": [wrong]}).json["name"] == "Garden"
    assert ask("GET", f"/todos/{todo.id}").json["tags"] == ["Garden"]
    check_problem(ask("GET", f"/tags/{wrong}"), 404)
    check_problem(ask("DELETE", path, If_Match=etag), 412)
    assert ask("DELETE", path, If_Match=ask("GET", path).headers["ETag"]).status_code == 204
    assert ask("GET", f"/todos/{todo.id}").json["tags"] == []


def test_of_those_who_read_the_same_tag_one_changes_it(program, cast):
    ask, tag = program("max"), create_tag("garden")
    path, statuses = f"/tags/{tag.id}", []
    etag = ask("GET", path).headers["ETag"]

    def change(colour):
        statuses.append(ask("PATCH", path, {"colour": colour}, If_Match=etag).status_code)

    threads = [Thread(target=change, args=(colour,)) for colour in ("red", "blue", "grey", "teal")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 412, 412, 412]


def test_word_that_cannot_be_a_tag_is_refused_by_field(program, cast):
    answer = program("alice")("POST", "/todos/", {"title": "x", "tags": ["fine", "#"]})
    assert list(check_problem(answer, 422)["errors"]) == ["tags"]


def test_member_reads_tags_and_changes_none(program, cast):
    tag = create_tag("garden", create_todo(cast.alice))
    ask = program("alice")
    assert ask("GET", f"/tags/{tag.id}").json["name"] == "garden"
    for method, path, body in (
        ("POST", "/tags/", {"name": "x"}),
        ("PATCH", f"/tags/{tag.id}", {"name": "x"}),
        ("DELETE", f"/tags/{tag.id}", None),
        ("POST", f"/tags/{tag.id}/merge", {"tags": [tag.id]}),
    ):
        check_problem(ask(method, path, body, If_Match="*"), 403)


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
