"""Files in forms: added, kept, removed, replaced, and waiting while something else is wrong."""

import pytest

from app.extensions import db
from app.models import Todo
from tests.attachments.conftest import chunk_count, readable, stored, submit, upload, waiting_in
from tests.attachments.samples import CHUNK, HTML, text
from tests.factories import PNG, create_attachment, create_todo


def names(todo: Todo) -> list[str]:
    """Return the names of the files of a todo, read afresh."""
    return [file.name for file in stored() if file.todo_id == todo.id]


def test_accepted_files_wait_while_another_is_refused(door):
    answer = door.add((PNG, "good.png"), (HTML, "bad.png"), (b"Buy milk", "list.txt"), notes="What I typed")
    assert answer.status_code == 400
    page = readable(answer)
    assert "bad.png is not an accepted type" in page
    assert "What I typed" in page
    assert [file.todo_id for file in stored()] == [None, None]
    assert waiting_in(page) == [str(file.id) for file in stored()]
    assert door.add(attachments_waiting=waiting_in(page)).status_code == 302
    assert [(file.name, file.todo.title) for file in stored()] == [("good.png", "Plants"), ("list.txt", "Plants")]


def test_files_wait_while_the_title_is_missing(door):
    page = door.add((PNG, "good.png"), title="").text
    assert len(waiting_in(page)) == 1
    again = door.add((b"Buy milk", "list.txt"), title="", attachments_waiting=waiting_in(page)).text
    assert len(waiting_in(again)) == 2
    assert door.add(attachments_waiting=waiting_in(again)).status_code == 302
    assert [file.todo.title for file in stored()] == ["Plants", "Plants"]


def test_files_wait_while_the_title_is_blank(door):
    answer = door.add((PNG, "good.png"), title=" ")
    assert answer.status_code == 400
    assert len(waiting_in(answer.text)) == 1


def test_waiting_file_that_is_removed_is_not_attached(door):
    first, second = waiting_in(door.add((PNG, "one.png"), (PNG, "two.png"), title="").text)
    assert door.add(attachments_waiting=[first, second], attachments_remove=first).status_code == 302
    assert [(file.name, file.todo_id is None) for file in stored()] == [("one.png", True), ("two.png", False)]


def test_file_waits_while_a_newer_version_has_to_be_read(door):
    todo = create_todo(door.person)
    answer = door.edit(todo, (PNG, "good.png"), version="0")
    assert answer.status_code == 409
    assert door.edit(todo, attachments_waiting=waiting_in(answer.text)).status_code == 302
    assert names(todo) == ["good.png"]


def test_waiting_file_cannot_be_attached_by_anybody_else(door, login, cast):
    theirs = create_attachment(uploaded_by_id=cast.bob.id)
    answer = door.add(attachments_waiting=str(theirs.id))
    assert answer.status_code == 400
    assert "not there any more" in answer.text
    assert stored()[0].todo_id is None
    assert db.session.query(Todo).count() == 0


@pytest.mark.parametrize("name", ["ada", "max", "charlie", "vera"])
def test_waiting_file_is_read_by_its_uploader_only(login, cast, name):
    file = create_attachment(uploaded_by_id=cast.alice.id)
    assert login("alice").get(f"/files/{file.id}").data == PNG
    assert login(name).get(f"/files/{file.id}").status_code == 404


def test_file_of_another_todo_cannot_be_taken_by_calling_it_waiting(door):
    todo = create_todo(door.person, "Theirs")
    file = create_attachment(todo, uploaded_by_id=door.person.id)
    assert door.add(attachments_waiting=str(file.id)).status_code == 400
    assert names(todo) == ["dot.png"]


def test_files_that_a_form_does_not_name_stay(door):
    todo = create_todo(door.person)
    create_attachment(todo, name="old.png")
    assert door.edit(todo, (PNG, "new.png"), title="Trees").status_code == 302
    assert names(todo) == ["old.png", "new.png"]


def test_removed_file_goes_with_its_bytes_and_the_others_stay(door):
    todo = create_todo(door.person)
    door.edit(todo, (text(2 * CHUNK + 1), "big.txt"), (PNG, "stays.png"))
    assert chunk_count() == 4
    big = stored()[0]
    db.session.refresh(todo)
    assert door.edit(todo, attachments_remove=str(big.id)).status_code == 302
    assert names(todo) == ["stays.png"]
    assert chunk_count() == 1


def test_removing_names_files_of_this_todo_only(door):
    mine, other = create_todo(door.person), create_todo(door.person, "Other")
    file = create_attachment(other)
    assert door.edit(mine, attachments_remove=[str(file.id), "x", "999999999"]).status_code == 302
    assert names(other) == ["dot.png"]


def test_replaced_file_goes_with_its_bytes(door):
    todo = create_todo(door.person)
    old, stays = create_attachment(todo, name="old.png"), create_attachment(todo, name="stays.png")
    replacing = {f"attachments_replace_{old.id}": upload(b"Better", "new.txt")}
    assert door.edit(todo, **replacing).status_code == 302
    assert names(todo) == [stays.name, "new.txt"]
    assert chunk_count() == 2


def test_file_stays_when_its_replacement_is_refused(door):
    todo = create_todo(door.person)
    old = create_attachment(todo, name="old.png")
    answer = door.edit(todo, **{f"attachments_replace_{old.id}": upload(HTML, "new.png")})
    assert answer.status_code == 400
    assert "new.png is not an accepted type" in readable(answer)
    assert names(todo) == ["old.png"]


def test_replacement_waits_while_the_title_is_missing(door):
    todo = create_todo(door.person)
    old = create_attachment(todo, name="old.png")
    answer = door.edit(todo, title="", **{f"attachments_replace_{old.id}": upload(b"Better", "new.txt")})
    assert answer.status_code == 400
    assert f'name="attachments-remove" value="{old.id}" checked' in answer.text
    assert names(todo) == ["old.png"]
    door.edit(todo, attachments_remove=str(old.id), attachments_waiting=waiting_in(answer.text))
    assert names(todo) == ["new.txt"]


def test_file_of_another_todo_cannot_be_replaced(door, cast):
    mine, theirs = create_todo(door.person), create_todo(cast.charlie)
    file = create_attachment(theirs)
    door.edit(mine, **{f"attachments_replace_{file.id}": upload(b"Better", "new.txt")})
    assert names(theirs) == ["dot.png"]
    assert names(mine) == []


def test_viewer_cannot_leave_files_behind(login, cast):
    todo = create_todo(cast.alice)
    form = {"title": "Mine now", "version": "1", "attachments": upload(PNG, "dot.png")}
    assert submit(login("vera"), f"/todos/{todo.id}", form).status_code == 403
    assert stored() == []


def test_member_adds_files_through_the_admin_too(login):
    form = {"title": "Plants", "owner": "alice", "attachments": upload(PNG, "dot.png")}
    assert submit(login("alice"), "/admin/todos/add", form).status_code == 302
    assert stored()[0].todo.owner.username == "alice"
