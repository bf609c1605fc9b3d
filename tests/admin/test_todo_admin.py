"""The generated screens of todos."""

from typing import Any

import pytest

from app.db import utcnow
from app.extensions import db
from tests.factories import create_attachment, create_todo

FORM = {"title": "Changed", "notes": "", "priority": 1, "owner": "alice", "assignees": "", "version": 1}


def fresh(row: Any) -> Any:
    """Return a row as it is in the database now."""
    db.session.rollback()
    db.session.refresh(row)
    return row


def test_list_shows_what_one_may_see(login, cast):
    create_todo(cast.alice, "Alice alone")
    create_todo(cast.bob, "Bob alone")
    create_todo(cast.alice, "In the trash", deleted_at=utcnow())
    for name, seen in (("alice", {"Alice alone"}), ("max", {"Alice alone", "Bob alone"}), ("charlie", set())):
        page = login(name).get("/admin/todos/list/").text
        assert {title for title in ("Alice alone", "Bob alone", "In the trash") if title in page} == seen


def test_search_is_literal_and_obeys_the_row_rule(login, cast):
    create_todo(cast.alice, "100% mine")
    create_todo(cast.bob, "100% his")
    client = login("alice")
    page = client.get("/admin/todos/list/?q=100%25").text
    assert "100% mine" in page
    assert "100% his" not in page
    assert "100% mine" not in client.get("/admin/todos/list/?q=1_0").text


def test_completion_through_the_form_is_stamped_and_unstamped(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    assert client.send(f"/admin/todos/edit/{todo.id}", FORM | {"complete": "y"}).status_code == 302
    assert fresh(todo).complete
    assert todo.completed_at is not None
    assert client.send(f"/admin/todos/edit/{todo.id}", FORM | {"version": 2}).status_code == 302
    assert (fresh(todo).complete, todo.completed_at) == (False, None)


def test_stale_form_keeps_people_and_owner_as_typed(login, cast):
    todo = create_todo(cast.alice)
    client = login("max")
    client.send(f"/admin/todos/edit/{todo.id}", FORM)
    answer = client.send(f"/admin/todos/edit/{todo.id}", FORM | {"owner": "bob", "assignees": "charlie, vera"})
    assert answer.status_code == 409
    assert 'value="bob"' in answer.text
    assert 'value="charlie, vera"' in answer.text
    assert fresh(todo).owner_id == cast.alice.id


@pytest.mark.parametrize("word", ["show", "edit", "delete"])
def test_impossible_ids_are_not_found(login, word):
    client, found = login("ada"), {}
    for pk in ("0", "x", "-1", "1.5", "²", "%00", str(2**31), str(2**63), "9" * 5000, "1%20"):
        path = f"/admin/todos/{word}/{pk}"
        found[pk[:9]] = (client.send(path) if word == "delete" else client.get(path)).status_code
    assert set(found.values()) <= {400, 404}, found


def test_row_that_is_only_seen_cannot_be_deleted(login, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    answer = login("bob").send(f"/admin/todos/delete/{todo.id}")
    assert answer.status_code == 403
    assert "Only its owner" in answer.text
    assert fresh(todo).deleted_at is None


def test_text_of_people_is_never_markup(login, cast):
    todo = create_todo(cast.alice, "<b>bold</b>", notes="<img src=x>")
    client = login("alice")
    for path in ("/admin/todos/list/", f"/admin/todos/show/{todo.id}", f"/admin/todos/edit/{todo.id}"):
        page = client.get(path).text
        assert "<b>bold</b>" not in page
        assert "<img src=x>" not in page


def test_form_shows_the_files_of_its_row_only(login, cast):
    todo, other = create_todo(cast.alice), create_todo(cast.alice)
    create_attachment(todo, name="mine.png")
    create_attachment(other, name="other.png")
    page = login("alice").get(f"/admin/todos/edit/{todo.id}").text
    assert "mine.png" in page
    assert "other.png" not in page


def test_doors_of_the_framework_that_we_do_not_use_are_shut(login):
    client = login("ada")
    for path in ("download", "download/", "api", "api/read", "muldelete", "delete", "action"):
        assert client.get(f"/admin/todos/{path}").status_code in (404, 405)


def test_the_frameworks_own_security_screens_are_not_there(login):
    client = login("ada")
    for path in ("/roles/list/", "/users/list/", "/registeruser/list/", "/user/list"):
        assert client.get(path).status_code == 404
        assert client.send(path).status_code in (404, 405)
