"""Every way in which something changes leaves exactly one entry, with who, through what and from where."""

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import select

from app.db import transaction
from app.errors import AppError
from app.extensions import db
from app.models import AuditEntry, Todo
from app.services import api_keys, todos
from app.services.permissions import load_user
from app.tasks.runner import execute, submit_for
from app.tasks.users_leaving import leave
from tests.conftest import count_queries
from tests.factories import PASSWORD, create_todo

FORM = {"title": "Other", "priority": 2, "assignees": ""}
DOORS = {
    # door -> address, form
    "page": ("/todos/{todo}", FORM | {"version": 1}),
    "generated form": ("/admin/todos/edit/{todo}", FORM | {"version": 1, "owner": "alice"}),
    "tick": ("/todos/{todo}/complete", {"complete": 1}),
    "chosen": ("/todos/chosen", {"action": "complete", "id": "{todo}"}),
    "action of the list": ("/admin/todos/action_post", {"action": "complete", "rowid": "{todo}"}),
    "action of the row": ("/admin/todos/action/complete/{todo}", {}),
    "assigning": ("/selection/assign?id={todo}", {"people": "bob"}),
    "deletion": ("/todos/{todo}/delete", {}),
    "generated deletion": ("/admin/todos/delete/{todo}", {}),
}
TICKED = {"complete": [False, True]}


@pytest.mark.parametrize("door", DOORS)
def test_each_door_to_a_todo_leaves_one_entry(login, cast, since, door):
    todo = create_todo(cast.alice)
    since()
    path, form = DOORS[door]
    form = {name: str(value).format(todo=todo.id) for name, value in form.items()}
    assert login("alice").send(path.format(todo=todo.id), form).status_code == 302
    (entry,) = since()
    assert (entry.entity, entry.row_id, entry.todo_id, entry.version) == ("todo", todo.id, todo.id, 2)
    assert (entry.actor_id, entry.program, entry.job_id, entry.address) == (cast.alice.id, None, None, "127.0.0.1")
    assert entry.request_id
    if "deletion" in door:
        assert entry.action == "deleted"
    elif door == "assigning":
        assert entry.changes == {"assignees": [[], [cast.bob.id]]}
    else:
        titled = {"title": ["Water the plants", "Other"]}
        assert entry.changes == (titled if door in ("page", "generated form") else TICKED)


def test_refused_form_leaves_nothing(login, cast, since):
    todo = create_todo(cast.alice)
    since()
    client = login("alice")
    assert client.send(f"/todos/{todo.id}", FORM | {"title": ""}).status_code == 400
    assert client.send(f"/todos/{todo.id}", FORM | {"version": 99}).status_code == 409
    assert login("charlie").send(f"/todos/{todo.id}/delete").status_code == 404
    assert since() == []


def test_saving_without_a_change_leaves_nothing(login, cast, since):
    todo = create_todo(cast.alice)
    since()
    form = {"title": todo.title, "priority": 2, "assignees": "", "version": 1}
    assert login("alice").send(f"/todos/{todo.id}", form).status_code == 302
    assert since() == []


def test_signing_in_and_out_is_told_once_each(app, cast, since):
    client = app.test_client()
    assert client.send("/login/", {"username": "alice", "password": "wrong"}).status_code == 401
    assert client.send("/login/", {"username": "alice", "password": PASSWORD}).status_code == 302
    client.send("/logout")
    found = since()
    assert [entry.action for entry in found] == ["login_failed", "login", "logout"]
    assert [entry.actor_id for entry in found] == [None, cast.alice.id, cast.alice.id]
    assert {entry.kind for entry in found} == {"security"}


def test_failure_with_a_name_that_nobody_has_is_told_without_what_was_typed(app, cast, since):
    app.test_client().send("/login/", {"username": "hunter2 hunter2", "password": "wrong"})
    (entry,) = since()
    assert (entry.action, entry.row_id, entry.address) == ("login_failed", None, "127.0.0.1")
    assert "hunter2" not in str(vars(entry))


def test_registration_and_people_in_the_admin_are_told(app, login, cast, since):
    person = {"username": "erin", "email": "erin@example.org", "first_name": "Erin", "last_name": "New"}
    person |= {"password": "a quite different phrase", "time_zone": "UTC"}
    assert app.test_client().send("/register", person).status_code == 302
    (entry,) = since()
    assert (entry.action, entry.actor_id, entry.label) == ("registered", entry.row_id, None)
    assert entry.changes["roles"][1]
    form = {"username": "bob", "email": "bob@example.org", "first_name": "Robert", "last_name": "Member"}
    assert login("ada").send(f"/admin/users/edit/{cast.bob.id}", form | {"roles": "Viewer"}).status_code == 302
    found = since()
    assert [entry.action for entry in found] == ["deactivated", "roles_changed", "changed"]
    assert {(entry.actor_id, entry.row_id) for entry in found} == {(cast.ada.id, cast.bob.id)}
    assert found[2].changes == {"first_name": None}


def test_keys_of_programs_and_the_end_of_sessions_are_told(login, cast, since):
    client = login("alice")
    answer = client.send("/profile/keys", {"name": "Backup", "scope": "read", "days": "30"})
    (made,) = since()
    assert (made.action, made.actor_id, made.label, made.kind) == ("key_created", cast.alice.id, "Backup", "security")
    secret = max(re.findall(rf"{api_keys.PREFIX}[\w-]+", answer.text), key=len)
    assert secret not in str(made.changes)
    assert client.send(f"/profile/keys/{made.row_id}/revoke").status_code == 302
    assert [(entry.action, entry.row_id) for entry in since()] == [("key_revoked", made.row_id)]
    assert client.send("/profile/sessions").status_code == 302
    assert [(entry.action, entry.row_id) for entry in since()] == [("sessions_ended", cast.alice.id)]


def test_command_is_told_with_who_ran_it(app, cast, since):
    result = app.test_cli_runner().invoke(args=["users", "deactivate", "bob"])
    assert result.exit_code == 0, result.output
    (entry,) = since()
    assert (entry.action, entry.row_id, entry.actor_id) == ("deactivated", cast.bob.id, None)
    assert entry.program.startswith("Command line (")


def test_job_is_told_from_its_submission_to_its_end_and_so_is_its_work(cast, since):
    todo = create_todo(cast.alice)
    since()
    args = {"user_id": cast.alice.id, "heir_id": cast.bob.id, "forget": False, "first": todo.id, "last": todo.id}
    job = submit_for(cast.ada.id, leave, **args)
    execute(job.id)
    found = since()
    assert [(entry.entity, entry.action) for entry in found] == [
        ("job", "submitted"),
        ("job", "started"),
        ("todo", "changed"),
        ("job", "succeeded"),
    ]
    assert {entry.job_id for entry in found[1:]} == {job.id}
    assert {entry.actor_id for entry in found[1:]} == {cast.ada.id}


def test_writers_at_once_leave_a_trail_without_gap(app, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    barrier = Barrier(4)

    def work(number: int) -> None:
        with app.app_context():
            viewer = load_user(cast.alice.id if number % 2 else cast.bob.id)
            barrier.wait()
            for round_ in range(5):
                try:
                    if number < 2:
                        todos.set_complete(viewer, [todo.id], bool(round_ % 2 == number))
                    else:
                        row = db.session.get(Todo, todo.id, populate_existing=True)
                        todos.update_todo(viewer, row, row.version, title=f"{number} {round_}")
                except AppError:
                    db.session.rollback()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    db.session.rollback()
    row = db.session.get(Todo, todo.id, populate_existing=True)
    found = list(db.session.scalars(select(AuditEntry).filter_by(todo_id=todo.id).order_by(AuditEntry.version)))
    assert [entry.version for entry in found] == list(range(1, row.version + 1))
    values = {"title": "Water the plants", "complete": False}
    for entry in found[1:]:
        for name, (before, after) in entry.changes.items():
            assert values[name] == before
            values[name] = after
    assert values == {"title": row.title, "complete": row.complete}


def test_write_costs_one_insert_more(cast):
    todo = create_todo(cast.alice)
    with count_queries() as statements, transaction():
        todo.title, todo.priority = "Other", 0
    kinds = [statement.split()[0].upper() for statement in statements]
    assert kinds == ["UPDATE", "INSERT"]
