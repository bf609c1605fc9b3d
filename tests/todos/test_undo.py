"""Undo takes back exactly what one action did, and nothing that somebody else did since."""

import re
from typing import Any

import pytest
from sqlalchemy import func, select

from app.db import transaction, utcnow
from app.errors import NotFound
from app.extensions import db
from app.models import Todo, UndoRow, UndoStep, todo_assignees
from app.services import todos, undo
from tests.conftest import count_queries
from tests.factories import create_todo


def fresh(row: Any) -> Any:
    """Return a row as it is in the database now."""
    db.session.rollback()
    db.session.refresh(row)
    return row


def undo_path(page: str) -> str:
    """Return where the Undo of a page's notice leads."""
    return re.search(r'action="(/undo/\d+)"', page)[1]


ACTIONS = {
    # address, form -> what the notice says after Undo
    "complete": ("/todos/chosen", {"action": "complete"}, "reopened"),
    "reopen": ("/todos/chosen", {"action": "reopen"}, "completed again"),
    "delete": ("/todos/chosen", {"action": "delete"}, "restored"),
    "assign": ("/selection/assign?id={0}&id={1}", {"people": "charlie"}, "assigned as before"),
    "restore": ("/trash", {"action": "restore"}, "put back into the trash"),
}


def state(row: Todo) -> tuple[Any, ...]:
    """Return what actions change, but not the version."""
    fresh(row)
    people = sorted(user.username for user in row.assignees)
    return row.complete, row.completed_at, row.deleted_at, row.deleted_by_id, people


@pytest.mark.parametrize("action", ACTIONS)
def test_undo_gives_back_what_was_before(login, cast, action):
    path, form, said = ACTIONS[action]
    common = {"complete": action == "reopen", "deleted_at": utcnow() if action == "restore" else None}
    rows = [create_todo(cast.alice, f"T{i}", assignees=[cast.bob][i:], **common) for i in range(2)]
    other = create_todo(cast.alice, "Other", **common)
    before = [state(row) for row in (*rows, other)]
    client, ids = login("alice"), [row.id for row in rows]
    client.send(path.format(*ids), form | {"id": ids})
    assert all(state(row) != was for row, was in zip(rows, before, strict=False))
    assert client.send(undo_path(client.get("/todos").text)).status_code == 302
    assert f"2 todos {said}." in client.get("/todos").text
    assert [state(row) for row in (*rows, other)] == before


def test_undo_leaves_alone_what_somebody_changed_since_and_names_it(login, cast):
    rows = [create_todo(cast.alice, f"Number {i}", assignees=[cast.bob]) for i in range(3)]
    client, ids = login("alice"), [row.id for row in rows]
    client.send("/todos/chosen", {"action": "complete", "id": ids})
    step = undo_path(client.get("/todos").text)
    login("bob").send(f"/todos/{ids[1]}", {"title": "Of Bob", "priority": 1, "version": 2, "assignees": "bob"})
    client.send(step)
    page = client.get("/todos").text
    assert "2 todos reopened." in page
    assert "Changed meanwhile, and left alone: “Of Bob”." in page
    assert [fresh(row).complete for row in rows] == [False, True, False]


def test_undo_of_a_deletion_restores_nothing_that_was_deleted_again(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    client.send(f"/todos/{todo.id}/delete")
    step = undo_path(client.get("/todos").text)
    max_ = login("max")
    max_.send("/trash", {"action": "restore", "id": todo.id})
    max_.send(f"/todos/{todo.id}/delete")
    client.send(step)
    assert fresh(todo).deleted_by_id == cast.max.id


def test_undo_works_once(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    client.send(f"/todos/{todo.id}/delete")
    step = undo_path(client.get("/todos").text)
    assert [client.send(step).status_code for _ in range(2)] == [302, 404]
    assert fresh(todo).version == 3


def test_undo_belongs_to_who_did_it(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    client.send(f"/todos/{todo.id}/delete")
    step = undo_path(client.get("/todos").text)
    for name in ("bob", "vera", "max", "ada"):
        assert login(name).send(step).status_code == 404
    assert fresh(todo).deleted_at is not None


def test_undo_asks_for_the_right_again(cast, viewer):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    step = todos.set_complete(viewer("bob"), [todo.id], True).step_id
    with transaction():
        fresh(todo).assignees = []
        todo.version = 2  # as if nobody had noticed
    assert undo.take_back(viewer("bob"), step).count == 0
    assert fresh(todo).complete


def test_undo_expires_after_a_day_and_is_swept(cast, viewer):
    todo = create_todo(cast.alice)
    old, young = (todos.set_complete(viewer("alice"), [todo.id], done).step_id for done in (True, False))
    with transaction() as session:
        session.get(UndoStep, old).created_at = utcnow() - undo.KEPT
    with pytest.raises(NotFound, match="more than a day old"):
        undo.take_back(viewer("alice"), old)
    assert undo.sweep() == 1
    assert list(db.session.scalars(select(UndoStep.id))) == [young]
    assert list(db.session.scalars(select(UndoRow.step_id))) == [young]


def test_action_that_changes_nothing_leaves_no_step(cast, viewer):
    todo = create_todo(cast.alice)
    assert todos.set_complete(viewer("alice"), [todo.id], False).step_id is None
    assert todos.delete_todos(viewer("charlie"), [todo.id]).step_id is None
    assert db.session.scalar(select(func.count()).select_from(UndoStep)) == 0


def test_batches_of_one_action_are_undone_as_one_step_however_many(cast, viewer):
    rows = [{"title": f"T{i}", "notes": "", "owner_id": cast.alice.id} for i in range(3000)]
    ids = list(db.session.scalars(Todo.__table__.insert().returning(Todo.__table__.c.id), rows))
    db.session.execute(todo_assignees.insert(), [{"todo_id": pk, "user_id": cast.bob.id} for pk in ids[::2]])
    db.session.commit()
    alice = viewer("alice")
    step_id = undo.begin(alice.id, "assign")
    for start in range(0, 3000, 1000):
        todos.assign(alice, ids[start : start + 1000], [cast.charlie], step_id)
    with count_queries() as statements:
        assert undo.take_back(alice, step_id) == undo.Undone("assign", 3000, [])
    assert len(statements) < 40
    found = db.session.execute(select(todo_assignees.c.todo_id, todo_assignees.c.user_id))
    assert sorted(found) == [(pk, cast.bob.id) for pk in ids[::2]]


def test_purged_todo_takes_its_undo_along(login, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    client = login("alice")
    client.send(f"/todos/{todo.id}/delete")
    step = undo_path(client.get("/todos").text)
    client.send(f"/trash/forever?id={todo.id}")
    assert client.send(step).status_code == 302
    assert "There is nothing left to undo." in client.get("/todos").text
