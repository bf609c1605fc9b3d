"""Somebody leaves: no way in stays open, others get the open todos, the name may be forgotten, every page works."""

import pytest
from sqlalchemy import insert, select

from app.db import transaction, utcnow
from app.extensions import db
from app.models import ApiKey, Attachment, AuditEntry, AuditPerson, Job, Notification, Todo, User, todo_assignees
from app.services import (
    api_keys,
    api_keys_use,
    audit_names,
    audit_sentences,
    calendars,
    users_handover,
)
from app.tasks.runner import execute
from tests.conftest import count_queries
from tests.factories import create_attachment, create_job, create_todo


def leave(client, person, **form):
    return client.send(f"/admin/users/leave/{person.id}", {"todos": "release"} | form)


def fresh(model, pk):
    db.session.rollback()
    return db.session.get(model, pk, populate_existing=True)


def people_of(todo_id) -> set[int]:
    db.session.rollback()
    return set(db.session.scalars(select(todo_assignees.c.user_id).where(todo_assignees.c.todo_id == todo_id)))


def test_page_says_what_is_left_behind(login, cast):
    create_todo(cast.alice)
    create_todo(cast.bob, assignees=[cast.alice])
    create_todo(cast.alice, complete=True)
    text = login("ada").get(f"/admin/users/leave/{cast.alice.id}").get_data(as_text=True)
    assert "1 open todo of their own, 1 assigned to them" in text


def test_whoever_leaves_is_out_at_once(login, cast):
    alice = login("alice")
    key, secret = api_keys.create(cast.alice, "Script", "read", 30)
    calendars.renew(cast.alice)
    assert alice.get("/todos").status_code == 200
    assert leave(login("ada"), cast.alice).status_code == 302
    assert alice.get("/todos").status_code == 302
    assert fresh(User, cast.alice.id).active is False
    assert fresh(ApiKey, key.id).revoked_at is not None
    assert api_keys_use.authenticate(secret) is None
    assert calendars.of_user(cast.alice) is None  # whoever comes back makes a new one


def test_heir_gets_the_open_todos_and_helps_where_the_other_helped(login, cast):
    own, done = create_todo(cast.alice), create_todo(cast.alice, complete=True)
    helped = create_todo(cast.bob, assignees=[cast.alice])
    heirs = create_todo(cast.charlie, assignees=[cast.alice])
    both = create_todo(cast.bob, assignees=[cast.alice, cast.charlie])
    assert leave(login("ada"), cast.alice, todos="hand_over", heir="charlie").status_code == 302
    assert fresh(Todo, own.id).owner_id == cast.charlie.id
    assert fresh(Todo, own.id).version == 2
    assert fresh(Todo, done.id).owner_id == cast.alice.id
    assert people_of(helped.id) == people_of(both.id) == {cast.charlie.id}
    assert people_of(heirs.id) == set()


def test_released_todos_go_to_whoever_helped_longest(login, cast):
    shared = create_todo(cast.alice, assignees=[cast.charlie, cast.bob])
    lonely = create_todo(cast.alice)
    assert leave(login("ada"), cast.alice).status_code == 302
    assert fresh(Todo, shared.id).owner_id == cast.bob.id
    assert fresh(Todo, lonely.id).owner_id == cast.alice.id
    entry = db.session.scalar(select(AuditEntry).filter_by(todo_id=shared.id, action="changed"))
    assert entry.changes["owner_id"] == [cast.alice.id, cast.bob.id]
    assert entry.actor_id == cast.ada.id


def test_many_todos_are_a_jobs_work(login, cast, monkeypatch):
    monkeypatch.setattr(users_handover, "AT_ONCE", 2)
    monkeypatch.setattr("app.tasks.users_leaving.IDS_AT_ONCE", 2)
    todos = [create_todo(cast.alice, f"Todo {i}") for i in range(5)]
    answer = leave(login("ada"), cast.alice, todos="hand_over", heir="bob", forget="y")
    assert "/jobs/" in answer.location
    assert fresh(User, cast.alice.id).active is False
    job_id = int(answer.location.rsplit("/", 1)[1])
    execute(job_id)
    assert fresh(Job, job_id).result == {"handed_over": 5}
    assert {fresh(Todo, todo.id).owner_id for todo in todos} == {cast.bob.id}
    assert fresh(User, cast.alice.id).username == f"former-{cast.alice.id}"
    entry = db.session.scalar(select(AuditEntry).filter_by(todo_id=todos[0].id, action="changed"))
    assert (entry.job_id, entry.actor_id) == (job_id, cast.ada.id)


def test_thousand_todos_cost_as_many_statements_as_three(cast):
    costs = []
    for count in (3, 1000):
        with transaction() as session:
            rows = [{"title": f"Todo {i}", "owner_id": cast.alice.id} for i in range(count)]
            ids = session.scalars(insert(Todo).returning(Todo.id), rows).all()
        with count_queries() as statements:
            assert users_handover.hand_over(cast.alice.id, cast.bob.id, range(min(ids), max(ids) + 1)) == count
        costs.append(len(statements))
    assert costs[0] == costs[1]


@pytest.mark.parametrize(
    ("by", "who", "form", "status"),
    [
        ("ada", "ada", {}, 403),
        ("max", "alice", {}, 403),
        ("ada", "alice", {"todos": "hand_over", "heir": "alice"}, 400),
        ("ada", "alice", {"todos": "hand_over", "heir": ""}, 400),
        ("ada", "alice", {"todos": "hand_over", "heir": "bob, charlie"}, 400),
        ("ada", "alice", {"todos": "hand_over", "heir": "nobody"}, 400),
    ],
)
def test_nobody_leaves_by_mistake(login, cast, by, who, form, status):
    create_todo(cast.alice)
    assert leave(login(by), getattr(cast, who), **form).status_code == status
    assert fresh(User, getattr(cast, who).id).active


def test_forgotten_name_is_nowhere_but_what_they_wrote(login, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    with transaction() as session:
        session.add(
            Notification(user_id=cast.bob.id, kind="assigned", actor=cast.alice.get_full_name(), todo_id=todo.id)
        )
    assert leave(login("ada"), cast.alice, forget="y").status_code == 302
    gone = fresh(User, cast.alice.id)
    assert (gone.get_full_name(), gone.password) == (f"Former user {gone.id}", None)
    rows = [*db.session.scalars(select(User)), *db.session.scalars(select(AuditEntry))]
    rows += [*db.session.scalars(select(AuditPerson)), *db.session.scalars(select(Notification))]
    text = str([vars(row) for row in rows])
    assert "alice@" not in text
    assert "Alice Member" not in text
    entries = list(db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)))
    names = audit_names.names(entries)
    told = [audit_sentences.sentence(entry, names) for entry in entries]
    assert f"anonymised Former user {gone.id}" in told


@pytest.mark.parametrize("forget", ["", "y"])
def test_every_page_works_after_somebody_left(app, login, cast, forget):
    todo = create_todo(cast.alice, assignees=[cast.alice, cast.bob])
    done = create_todo(cast.alice, complete=True, deleted_at=utcnow())
    file = create_attachment(todo, uploaded_by_id=cast.alice.id)
    job = create_job(cast.alice, "succeeded")
    assert leave(login("ada"), cast.alice, forget=forget).status_code == 302
    values = {"todo_id": todo.id, "file_id": file.id, "job_id": job.id, "user_id": cast.alice.id, "locale": "en"}
    pages = {"JobAdmin": job.id, "UserAdmin": cast.alice.id, "TrashAdmin": done.id, "RoleAdmin": 1, "TagAdmin": 0}
    entry = db.session.scalar(select(AuditEntry.id).filter_by(todo_id=todo.id).limit(1))
    pages |= {"TodoAdmin": todo.id, "TodoApi": todo.id, "AuditAdmin": entry}
    adapter, broken = app.url_map.bind("localhost"), {}
    for rule in app.url_map.iter_rules():
        known = values | {"pk": pages.get(rule.endpoint.split(".")[0], 1)}
        if "GET" in rule.methods and not rule.arguments - set(known):
            for name in ("ada", "bob"):
                path = adapter.build(rule.endpoint, {key: known[key] for key in rule.arguments})
                status = login(name).get(path, buffered=True).status_code
                if status >= 500 and not path.startswith("/health"):
                    broken[path] = status
    assert not broken
    assert login("ada").get(f"/todos/{todo.id}").status_code == 200
    assert login("ada").get(f"/admin/todos/edit/{todo.id}").status_code == 200
    assert db.session.scalar(select(Attachment.uploaded_by_id).where(Attachment.id == file.id)) == cast.alice.id
