"""Changing a todo: what is saved, what is ignored, and what happens when somebody else was faster."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from app.extensions import db
from app.models import Todo
from tests.factories import create_todo

FIELDS = {"title": "Changed", "notes": "Twice a week", "priority": 0, "due_on": "2030-01-02", "assignees": "bob"}
EXTRA = {
    "owner": "charlie",
    "owner_id": 1,
    "id": 999,
    "created_at": "2001-01-01",
    "deleted_at": "2001-01-01 00:00:00",
    "completed_at": "2001-01-01 00:00:00",
    "complete": "y",
    "due_sort": "2001-01-01",
}
DOORS = ("/todos/{0}", "/admin/todos/edit/{0}")


def fresh(row: Any) -> Any:
    """Return a row as it is in the database now."""
    db.session.rollback()
    db.session.refresh(row)
    return row


def change(client: Any, door: str, todo: Todo, **fields: Any) -> Any:
    """Send the form of a todo."""
    return client.send(door.format(todo.id), {"version": 1, "owner": "alice"} | FIELDS | fields)


@pytest.mark.parametrize("door", DOORS)
def test_owner_changes_all_that_the_form_shows(login, cast, door):
    todo = create_todo(cast.alice)
    assert change(login("alice"), door, todo).status_code == 302
    fresh(todo)
    assert (todo.title, todo.notes, todo.priority, todo.due_on) == ("Changed", "Twice a week", 0, date(2030, 1, 2))
    assert [user.username for user in todo.assignees] == ["bob"]
    assert todo.version == 2
    assert todo.updated_at > todo.created_at


def test_page_ignores_fields_that_it_does_not_show(login, cast):
    todo = create_todo(cast.alice)
    for name in ("alice", "ada"):
        change(login(name), DOORS[0], todo, **EXTRA, version=fresh(todo).version)
    fresh(todo)
    assert (todo.owner_id, todo.deleted_at, todo.complete, todo.completed_at) == (cast.alice.id, None, False, None)
    assert todo.created_at.year > 2001
    assert db.session.scalar(select(func.count()).select_from(Todo)) == 1


def test_new_todo_ignores_fields_that_the_form_does_not_show(login, cast):
    login("alice").send("/todos", FIELDS | EXTRA | {"version": 77})
    todo = db.session.scalar(select(Todo))
    assert (todo.owner_id, todo.deleted_at, todo.complete, todo.completed_at) == (cast.alice.id, None, False, None)
    assert (todo.id == 999, todo.version) == (False, 1)


def test_admin_form_ignores_fields_that_it_does_not_show(login, cast):
    todo = create_todo(cast.alice)
    extra = {name: value for name, value in EXTRA.items() if name not in ("owner", "complete")}
    change(login("ada"), DOORS[1], todo, **extra)
    fresh(todo)
    assert (todo.owner_id, todo.deleted_at, todo.completed_at) == (cast.alice.id, None, None)
    assert todo.created_at.year > 2001


def test_admin_form_adds_a_todo_for_oneself(login, cast):
    for name in ("alice", "max", "ada"):
        answer = login(name).send("/admin/todos/add", FIELDS | {"owner": name, "title": f"Of {name}"})
        assert answer.status_code == 302
        todo = db.session.scalar(select(Todo).where(Todo.title == f"Of {name}"))
        assert todo.owner_id == getattr(cast, name).id


def test_member_cannot_add_a_todo_for_somebody_else(login, cast):
    answer = login("alice").send("/admin/todos/add", FIELDS | {"owner": "bob"})
    assert answer.status_code == 403
    assert 'value="Changed"' in answer.text
    assert db.session.scalar(select(Todo)) is None


@pytest.mark.parametrize("door", DOORS)
def test_stale_save_is_refused_and_the_text_kept(login, cast, door):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    assert change(login("bob"), door, todo, title="By Bob").status_code == 302
    client = login("alice")
    for version in ("1", "", "x", "-1", "99", "2.0", "9" * 40):
        answer = change(client, door, todo, title="By Alice", notes="Long text of Alice", version=version)
        assert answer.status_code == 409
        assert "Somebody changed this todo while you were editing it" in answer.text
        assert 'value="By Alice"' in answer.text
        assert "Long text of Alice" in answer.text
    assert (fresh(todo).title, todo.version) == ("By Bob", 2)


@pytest.mark.parametrize("door", DOORS)
def test_saving_again_after_a_refusal_is_a_decision_that_a_third_save_can_still_undo(login, cast, door):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    client = login("alice")
    change(login("bob"), door, todo, title="By Bob")
    page = change(client, door, todo, title="By Alice").text
    assert 'name="version" type="hidden" value="2"' in page
    change(login("bob"), door, todo, title="By Bob again", version=2)
    assert change(client, door, todo, title="By Alice", version=2).status_code == 409
    assert fresh(todo).title == "By Bob again"
    assert change(client, door, todo, title="By Alice", version=3).status_code == 302
    assert fresh(todo).title == "By Alice"


@pytest.mark.parametrize("door", DOORS)
def test_save_without_a_version_is_refused(login, cast, door):
    todo = create_todo(cast.alice)
    client = login("alice")
    answer = client.send(door.format(todo.id), FIELDS | {"owner": "alice"})
    assert answer.status_code == 409
    assert fresh(todo).title == "Water the plants"


@pytest.mark.parametrize("door", DOORS)
def test_refused_form_saves_no_second_time_with_the_same_version(login, cast, door):
    todo = create_todo(cast.alice)
    client = login("alice")
    assert [change(client, door, todo).status_code for _ in range(2)] == [302, 409]


@pytest.mark.parametrize("path", ["/todos/{0}/complete", "/admin/todos/action/complete/{0}"])
def test_completion_makes_an_open_form_stale(login, cast, path):
    todo = create_todo(cast.alice)
    client = login("alice")
    client.send(path.format(todo.id), {"complete": 1})
    assert change(client, DOORS[0], todo).status_code == 409


UNUSABLE = (
    {"title": ""},
    {"title": "   "},
    {"title": "x" * 201},
    {"title": "a\x00b"},
    {"notes": "x" * 20_001},
    {"notes": "a\x00b"},
    {"priority": "4"},
    {"priority": "-1"},
    {"priority": "x"},
    {"priority": "9" * 30},
    {"due_on": "tomorrow"},
    {"due_on": "2030-02-30"},
    {"due_on": "99999-01-01"},
)


@pytest.mark.parametrize("door", [*DOORS, "/todos", "/admin/todos/add"])
def test_unusable_fields_are_refused_and_the_rest_kept(login, cast, door):
    todo = create_todo(cast.alice)
    before, client, wrong = todo.title, login("ada"), {}
    for fields in UNUSABLE:
        answer = change(client, door, todo, **{"notes": "Long text", **fields})
        if answer.status_code != 400 or ("notes" not in fields and "Long text" not in answer.text):
            wrong[str(fields)[:40]] = answer.status_code
    assert not wrong
    assert fresh(todo).title == before
    assert db.session.scalar(select(func.count()).select_from(Todo)) == 1


@pytest.mark.parametrize("door", DOORS)
def test_line_ends_are_stored_as_one_character(login, cast, door):
    todo = create_todo(cast.alice)
    change(login("alice"), door, todo, notes="one\r\ntwo")
    assert fresh(todo).notes == "one\ntwo"


@pytest.mark.parametrize("due", ["0001-01-01", "9999-12-31"])
def test_days_at_the_ends_of_the_calendar_can_be_shown(login, cast, due):
    todo = create_todo(cast.alice)
    client = login("alice")
    assert change(client, DOORS[0], todo, due_on=due).status_code == 302
    for path in ("/todos", f"/todos/{todo.id}", "/admin/todos/list/", f"/admin/todos/show/{todo.id}"):
        assert client.get(path).status_code == 200


def test_due_date_can_be_taken_away(login, cast):
    todo = create_todo(cast.alice, due_on=date(2030, 1, 2))
    change(login("alice"), DOORS[0], todo, due_on="")
    assert fresh(todo).due_on is None
