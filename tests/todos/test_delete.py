"""Deleting a todo, and taking it back."""

import re
from typing import Any

import pytest

from app.db import utcnow
from app.extensions import db
from tests.factories import create_attachment, create_todo


def fresh(row: Any) -> Any:
    """Return a row as it is in the database now."""
    db.session.rollback()
    db.session.refresh(row)
    return row


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/todos/{0}/delete", {}),
        ("/todos/chosen", {"action": "delete", "id": "{0}"}),
        ("/admin/todos/delete/{0}", {}),
        ("/admin/todos/action_post", {"action": "delete_chosen", "rowid": "{0}"}),
    ],
)
def test_deleted_todo_is_gone_from_lists_but_kept(login, cast, path, data):
    todo = create_todo(cast.alice, "To be deleted")
    file = create_attachment(todo)
    client = login("alice")
    answer = client.send(path.format(todo.id), {name: value.format(todo.id) for name, value in data.items()})
    assert answer.status_code == 302
    assert fresh(todo).deleted_at is not None
    assert fresh(file).todo_id == todo.id
    client.get("/todos")
    for page in ("/todos", "/admin/todos/list/", "/api/v1/todos/"):
        assert "To be deleted" not in client.get(page).text


def test_undo_brings_everything_back(login, cast):
    todo = create_todo(cast.alice, "To be deleted", assignees=[cast.bob], complete=True)
    file = create_attachment(todo)
    client = login("alice")
    client.send(f"/todos/{todo.id}/delete")
    page = client.get("/todos?show=done").text
    assert "1 todo deleted." in page
    undo = re.search(r'action="(/undo/\d+)"', page)[1]
    assert client.send(undo).status_code == 302
    assert fresh(todo).deleted_at is None
    assert todo.complete
    assert [user.username for user in todo.assignees] == ["bob"]
    assert fresh(file).todo_id == todo.id
    assert "To be deleted" in client.get("/todos?show=done").text


def test_several_todos_are_deleted_and_restored_together(login, cast):
    found = [create_todo(cast.alice) for _ in range(3)]
    ids = [todo.id for todo in found]
    client = login("alice")
    client.send("/todos/chosen", {"action": "delete", "id": ids})
    assert all(fresh(todo).deleted_at for todo in found)
    assert "3 todos deleted." in client.get("/todos").text
    client.send("/trash", {"id": ids})
    assert not any(fresh(todo).deleted_at for todo in found)


@pytest.mark.parametrize("name", ["charlie", "bob", "vera"])
def test_only_those_who_may_delete_can_restore(login, cast, name):
    todo = create_todo(cast.alice, assignees=[cast.bob], deleted_at=utcnow())
    assert login(name).send("/trash", {"id": todo.id}).status_code in (403, 404)
    assert fresh(todo).deleted_at is not None


def test_manager_restores_what_somebody_deleted(login, cast):
    todo = create_todo(cast.alice, deleted_at=utcnow())
    login("max").send("/trash", {"id": todo.id})
    assert fresh(todo).deleted_at is None


def test_restoring_touches_only_ones_own_among_others(login, cast):
    mine, theirs = create_todo(cast.alice, deleted_at=utcnow()), create_todo(cast.bob, deleted_at=utcnow())
    login("alice").send("/trash", {"id": [mine.id, theirs.id]})
    assert fresh(theirs).deleted_at is not None


def test_deleting_twice_is_not_found_the_second_time(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    assert [client.send(f"/todos/{todo.id}/delete").status_code for _ in range(2)] == [302, 404]


def test_restoring_what_is_not_deleted_changes_nothing(login, cast):
    todo = create_todo(cast.alice)
    login("alice").send("/trash", {"id": todo.id})
    assert fresh(todo).version == 1
