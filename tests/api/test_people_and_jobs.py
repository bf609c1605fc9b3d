"""The directory, and jobs that programs start."""

import pytest
from sqlalchemy import insert

from app.db import transaction
from app.extensions import db
from app.models import Job, User
from tests.api.conftest import check_problem
from tests.conftest import count_queries
from tests.factories import HASH, create_attachment, create_job, create_todo, create_user


def test_directory_tells_names_and_nothing_else(program, cast):
    answer = program("alice")("GET", "/users/")
    assert [row["username"] for row in answer.json["result"]] == ["ada", "alice", "bob", "charlie", "max", "vera"]
    wanted = {"id": cast.bob.id, "username": "bob", "first_name": "Bob", "last_name": "Member"}
    assert answer.json["result"][2] == wanted
    assert program("alice")("GET", f"/users/{cast.bob.id}").json == wanted
    assert "@" not in answer.text


def test_inactive_people_are_seen_by_who_administers_them_and_a_key_for_it(program, cast):
    gone = create_user("gone")
    with transaction():
        gone.active = False
    listed = lambda ask: "gone" in ask("GET", "/users/?text=gone").text  # noqa: E731
    shown = {(name, scope): listed(program(name, scope)) for name in ("alice", "ada") for scope in ("read", "admin")}
    assert [who for who, seen in shown.items() if seen] == [("ada", "admin")]


@pytest.mark.parametrize("sort", ["username", "-username"])
def test_directory_has_pages(program, cast, sort):
    ask, found, cursor = program("alice"), [], ""
    while cursor is not None:
        page = ask("GET", f"/users/?sort={sort}&limit=4&cursor={cursor}").json
        found += [row["username"] for row in page["result"]]
        cursor = page["next"]
    assert found == sorted(found, reverse=sort[0] == "-")
    assert len(found) == 6


def test_job_is_started_watched_and_cancelled(program, cast):
    todo, ask = create_todo(cast.alice), program("alice")
    body = {"name": "todos.export", "args": {"ids": [todo.id]}}
    answer = ask("POST", "/jobs/", body)
    assert (answer.status_code, answer.json["status"]) == (202, "queued")
    path = f"/jobs/{answer.json['id']}"
    assert answer.headers["Location"] == f"/api/v1{path}"
    assert ask("POST", "/jobs/", body).json["id"] == answer.json["id"]
    assert ask("GET", path).json["title"] == "Export todos"
    assert ask("POST", f"{path}/cancel").json["status"] == "cancelled"
    assert ask("POST", f"{path}/cancel").status_code == 202
    assert [row["status"] for row in ask("GET", "/jobs/?status=cancelled").json["result"]] == ["cancelled"]
    assert ask("GET", "/jobs/?status=failed").json["result"] == []


def test_request_with_the_same_key_starts_no_second_job_even_when_the_first_has_ended(program, cast):
    todo, ask = create_todo(cast.alice), program("alice")
    body = {"name": "todos.export", "args": {"ids": [todo.id]}}
    first = ask("POST", "/jobs/", body, Idempotency_Key="j1")
    ask("POST", f"/jobs/{first.json['id']}/cancel")
    again = ask("POST", "/jobs/", body, Idempotency_Key="j1")
    assert (again.json, again.headers["Location"]) == (first.json, first.headers["Location"])
    other = ask("POST", "/jobs/", body, Idempotency_Key="j2")
    assert other.json["id"] != first.json["id"]
    active = ask("POST", "/jobs/", body, Idempotency_Key="j3")
    assert active.json["id"] == other.json["id"]
    assert len(ask("GET", "/jobs/").json["result"]) == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "todos.export"},
        {"name": "attachments.thumbnail", "args": {"ids": [1]}},
        {"name": "os.system", "args": {"ids": [1]}},
        {"name": "todos.export", "args": {"ids": []}},
        {"name": "todos.export", "args": {"ids": ["1"]}},
        {"name": "todos.export", "args": {"ids": [2**31]}},
        {"name": "todos.export", "args": {"ids": [1], "run": 1}},
        {"name": "todos.export", "args": {"ids": [1], "kind": "exe"}},
        {"name": "todos.export", "args": {"ids": [1], "with_files": 0}},
        {"name": "todos.export", "args": {"ids": [1]}, "owner_id": 1},
    ],
    ids=str,
)
def test_undeclared_jobs_and_unusable_arguments_are_refused(program, body):
    check_problem(program("ada", "admin")("POST", "/jobs/", body), 400)
    assert db.session.query(Job).count() == 0


def test_jobs_of_others_are_not_there(program, cast):
    job = create_job(cast.alice)
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/cancel"):
        method = "POST" if path.endswith("cancel") else "GET"
        check_problem(program("charlie")(method, path), 404)
    assert program("charlie")("GET", "/jobs/").json["result"] == []
    assert program("max")("GET", f"/jobs/{job.id}").status_code == 200
    check_problem(program("alice", "read")("POST", f"/jobs/{job.id}/cancel"), 403)
    check_problem(program("alice", "read")("POST", "/jobs/", {"name": "todos.export", "args": {"ids": [1]}}), 403)


@pytest.mark.parametrize("count", [3, 300])
def test_lists_cost_the_same_however_many_there_are(program, cast, count):
    people = [
        {"username": f"p{n}", "first_name": "P", "last_name": "P", "email": f"{n}@example.org"} for n in range(count)
    ]
    db.session.execute(insert(User), [row | {"active": True, "password": HASH} for row in people])
    for _ in range(3):
        create_attachment(job_id=create_job(cast.alice, "succeeded").id)
    job = {"name": "todos.export", "args": {}, "owner_id": cast.alice.id, "status": "failed"}
    db.session.execute(insert(Job), [job for _ in range(count)])
    db.session.commit()
    ask, costs = program("alice"), {}
    ask("GET", "/users/")
    for path in ("/users/?limit=100", "/jobs/?limit=100"):
        with count_queries() as statements:
            ask("GET", path)
        costs[path] = len(statements)
    assert costs == {"/users/?limit=100": 2, "/jobs/?limit=100": 3}
