"""The row rule at every door of a todo: strangers, viewers, assignees, owners, managers."""

from typing import Any

import pytest
from sqlalchemy import select

from app.db import utcnow
from app.extensions import db
from app.models import Attachment, Todo
from tests.factories import create_attachment, create_todo

PAGES = (
    "/todos/{0}",
    "/admin/todos/show/{0}",
    "/admin/todos/edit/{0}",
    "/api/v1/todos/{0}",
    "/selection/assign?id={0}",
)
FORMS = {
    "/todos/{0}": {"title": "Taken over", "priority": 1, "version": 1},
    "/todos/{0}/complete": {"complete": 1},
    "/todos/{0}/delete": {},
    "/todos/chosen": {"action": "delete", "id": "{0}"},
    "/admin/todos/edit/{0}": {"title": "Taken over", "priority": 1, "owner": "charlie", "version": 1},
    "/admin/todos/delete/{0}": {},
    "/admin/todos/action/complete/{0}": {},
    "/admin/todos/action_post": {"action": "delete_chosen", "rowid": "{0}"},
    "/selection/assign?id={0}": {"people": "charlie"},
}
IMPOSSIBLE = ("0", str(2**31), str(2**63), str(10**30), "-1", "x", "1.5", "%00", "²")


def fresh(row: Any) -> Any:
    """Return a row as it is in the database now."""
    db.session.rollback()
    db.session.refresh(row)
    return row


def send(client: Any, path: str, todo: Any) -> Any:
    """Send a form of the table for a todo."""
    data = {name: str(value).format(todo.id) for name, value in FORMS[path].items()}
    return client.send(path.format(todo.id), data)


def state(todo: Todo) -> tuple:
    """Return everything about a todo that somebody could change."""
    fresh(todo)
    people = sorted(user.username for user in todo.assignees)
    return todo.title, todo.complete, todo.deleted_at, todo.owner_id, todo.version, people


@pytest.mark.parametrize("path", PAGES)
def test_stranger_sees_no_todo_at_any_door(login, cast, path):
    todo = create_todo(cast.alice, "Hidden from strangers")
    answer = login("charlie").get(path.format(todo.id))
    assert answer.status_code == 404
    assert "Hidden" not in answer.text


@pytest.mark.parametrize("path", FORMS)
def test_stranger_changes_no_todo_at_any_door(login, cast, path):
    todo = create_todo(cast.alice)
    before = state(todo)
    assert send(login("charlie"), path, todo).status_code == 404
    assert state(todo) == before


@pytest.mark.parametrize("path", FORMS)
def test_viewer_sees_all_and_changes_nothing(login, cast, path):
    todo = create_todo(cast.alice)
    before = state(todo)
    client = login("vera")
    assert client.get(f"/todos/{todo.id}").status_code == 200
    assert send(client, path, todo).status_code in (403, 404)
    assert state(todo) == before


@pytest.mark.parametrize("path", FORMS)
def test_viewer_changes_not_even_what_is_assigned_to_them(login, cast, path):
    todo = create_todo(cast.alice, assignees=[cast.vera])
    before = state(todo)
    send(login("vera"), path, todo)
    assert state(todo) == before


@pytest.mark.parametrize("path", FORMS)
def test_nobody_changes_a_deleted_todo(login, cast, path):
    todo = create_todo(cast.alice, deleted_at=utcnow())
    before = state(todo)
    for name in ("alice", "max", "ada"):
        assert send(login(name), path, todo).status_code == (409 if path == "/todos/{0}" else 404)
    assert state(todo) == before


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_a_deleted_todo(login, cast, path):
    todo = create_todo(cast.alice, deleted_at=utcnow())
    for name in ("alice", "max", "ada"):
        assert login(name).get(path.format(todo.id)).status_code == 404


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/todos/{0}/complete", True),
        ("/admin/todos/action/complete/{0}", True),
        ("/todos/{0}/delete", False),
        ("/todos/chosen", False),
        ("/admin/todos/delete/{0}", False),
        ("/admin/todos/action_post", False),
        ("/selection/assign?id={0}", False),
        ("/admin/todos/edit/{0}", False),
    ],
)
def test_assignee_completes_but_neither_deletes_nor_shares_nor_hands_over(login, cast, path, allowed):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    before = state(todo)
    send(login("bob"), path, todo)
    assert (state(todo) != before) is allowed


def test_assignee_edits_but_keeps_the_people_as_they_are(login, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    client = login("bob")
    answer = client.send(f"/todos/{todo.id}", {"title": "Edited", "priority": 2, "version": 1, "assignees": "bob"})
    assert answer.status_code == 302
    assert fresh(todo).title == "Edited"
    for people in ("", "bob, charlie", "charlie"):
        data = {"title": "Shared", "priority": 2, "version": 2, "assignees": people}
        assert client.send(f"/todos/{todo.id}", data).status_code == 403
        answer = client.send(f"/admin/todos/edit/{todo.id}", data | {"owner": "alice"})
        assert answer.status_code == 403
    assert state(todo)[0] == "Edited"
    assert state(todo)[-1] == ["bob"]


def test_assignee_cannot_hand_a_todo_over_in_the_admin(login, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    data = {"title": "Mine now", "priority": 2, "version": 1, "assignees": "bob", "owner": "bob"}
    assert login("bob").send(f"/admin/todos/edit/{todo.id}", data).status_code == 403
    assert fresh(todo).owner_id == cast.alice.id


def test_owner_cannot_hand_a_todo_over_without_the_right(login, cast):
    todo = create_todo(cast.alice)
    data = {"title": "Yours", "priority": 2, "version": 1, "owner": "bob"}
    assert login("alice").send(f"/admin/todos/edit/{todo.id}", data).status_code == 403
    assert fresh(todo).owner_id == cast.alice.id


def test_manager_changes_deletes_shares_and_hands_over(login, cast):
    todo = create_todo(cast.alice)
    data = {"title": "By Max", "priority": 2, "version": 1, "owner": "bob", "assignees": "charlie"}
    assert login("max").send(f"/admin/todos/edit/{todo.id}", data).status_code == 302
    assert state(todo)[0] == "By Max"
    assert (todo.owner_id, [user.username for user in todo.assignees]) == (cast.bob.id, ["charlie"])
    assert login("max").send(f"/todos/{todo.id}/delete").status_code == 302
    assert fresh(todo).deleted_at is not None


def test_former_assignee_sees_the_todo_no_more(login, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    client = login("bob")
    assert client.get(f"/todos/{todo.id}").status_code == 200
    login("alice").send(f"/todos/{todo.id}", {"title": "Alone", "priority": 2, "version": 1, "assignees": ""})
    assert client.get(f"/todos/{todo.id}").status_code == 404


def test_lists_exports_and_api_hold_only_visible_todos(login, cast):
    create_todo(cast.alice, "Hidden from strangers")
    create_todo(cast.charlie, "Their own")
    client = login("charlie")
    for path in ("/todos?scope=all", "/admin/todos/list/", "/admin/todos/list/?q=t", "/api/v1/todos/", "/users"):
        page = client.get(path).text
        assert "Their own" in page
        assert "Hidden" not in page
    assert len(client.get("/api/v1/todos/").json["result"]) == 1


@pytest.mark.parametrize("path", [*PAGES, "/todos/{0}/delete", "/todos/{0}/complete", "/files/{0}", "/jobs/{0}"])
def test_impossible_ids_are_no_todo(login, path):
    client = login("ada")
    ask = client.send if path.endswith(("delete", "complete")) else client.get
    found = {pk[:9]: ask(path.format(pk)).status_code for pk in IMPOSSIBLE}
    assert set(found.values()) <= {400, 404}, found


def test_unknown_or_inactive_people_cannot_be_named(login, cast):
    left = create_todo(cast.bob).owner
    left.username, left.active = "gone", False
    db.session.commit()
    todo = create_todo(cast.alice)
    before, client, found = state(todo), login("max"), {}
    for names in ("nobody", "gone", "alice, nobody", "%", "alice\x00", "x" * 5000, "'"):
        data = {"title": "Shared", "priority": 2, "version": 1, "assignees": names}
        owned = data | {"assignees": "", "owner": names}
        found[names[:9]] = [
            client.send(f"/todos/{todo.id}", data).status_code,
            client.send("/todos", data).status_code,
            client.send(f"/admin/todos/edit/{todo.id}", data | {"owner": "alice"}).status_code,
            client.send(f"/admin/todos/edit/{todo.id}", owned).status_code,
            client.send("/admin/todos/add", owned).status_code,
            client.send(f"/selection/assign?id={todo.id}", {"people": names}).status_code,
        ]
    assert found == dict.fromkeys(found, [400] * 6)
    assert state(todo) == before
    assert len(db.session.scalars(select(Todo)).all()) == 2


def test_todo_has_exactly_one_owner(login, cast):
    todo = create_todo(cast.alice)
    for owner in ("", "alice, bob", " ", ","):
        data = {"title": "Whose?", "priority": 2, "version": 1, "owner": owner}
        assert login("ada").send(f"/admin/todos/edit/{todo.id}", data).status_code == 400
    assert fresh(todo).owner_id == cast.alice.id


def forms_with_files(todo: Todo) -> list[tuple[str, dict[str, Any]]]:
    """Return the forms that take files, for the todo's owner."""
    data = {"title": "Files", "priority": 2, "version": 1}
    return [(f"/todos/{todo.id}", data), ("/todos", data), (f"/admin/todos/edit/{todo.id}", data | {"owner": "alice"})]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_unsaved_upload_of_somebody_else_cannot_be_taken(login, cast, number):
    todo = create_todo(cast.alice)
    theirs = create_attachment(uploaded_by_id=cast.bob.id)
    path, data = forms_with_files(todo)[number]
    for name in ("alice", "max"):
        answer = login(name).send(path, data | {"attachments-waiting": theirs.id})
        assert answer.status_code == 400
        assert "not there any more" in answer.text
    assert fresh(theirs).todo_id is None


@pytest.mark.parametrize("number", [0, 1, 2])
def test_saved_file_of_another_todo_cannot_be_taken(login, cast, number):
    todo, other = create_todo(cast.alice), create_todo(cast.bob)
    theirs = create_attachment(other, uploaded_by_id=cast.alice.id)
    path, data = forms_with_files(todo)[number]
    assert login("alice").send(path, data | {"attachments-waiting": theirs.id}).status_code == 400
    assert fresh(theirs).todo_id == other.id


@pytest.mark.parametrize("number", [0, 2])
def test_file_of_another_todo_is_neither_removed_nor_replaced(login, cast, number):
    todo, other = create_todo(cast.alice), create_todo(cast.bob)
    theirs = create_attachment(other)
    mine = create_attachment(todo)
    path, data = forms_with_files(todo)[number]
    ids = {"attachments-remove": [theirs.id, 10**8, "x", "-1", "9" * 30], f"attachments-replace-{theirs.id}": "x"}
    assert login("alice").send(path, data | ids).status_code == 302
    assert fresh(theirs).todo_id == other.id
    assert fresh(mine).todo_id == todo.id


@pytest.mark.parametrize("number", [0, 2])
def test_own_files_are_removed_and_own_uploads_attached(login, cast, number):
    todo = create_todo(cast.alice)
    removed, waiting = create_attachment(todo).id, create_attachment(uploaded_by_id=cast.alice.id)
    path, data = forms_with_files(todo)[number]
    data |= {"attachments-remove": removed, "attachments-waiting": waiting.id}
    assert login("alice").send(path, data).status_code == 302
    db.session.rollback()
    assert db.session.scalars(select(Attachment.id).where(Attachment.todo_id == todo.id)).all() == [waiting.id]


@pytest.mark.parametrize("path", ["/files/{0}", "/files/{0}/thumbnail", "/files/{0}/preview", "/files/{0}/show"])
def test_files_follow_the_rule_of_their_todo(login, cast, path):
    file = create_attachment(create_todo(cast.alice))
    unsaved = create_attachment(uploaded_by_id=cast.alice.id)
    gone = create_attachment(create_todo(cast.alice, deleted_at=utcnow()))
    for row, names in ((file, ["charlie", "bob"]), (unsaved, ["ada", "max", "vera", "bob"]), (gone, ["alice", "ada"])):
        for name in names:
            assert login(name).get(path.format(row.id)).status_code == 404
