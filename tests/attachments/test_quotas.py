"""The space that one person, and one todo, may fill."""

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from app.errors import Invalid, Stale
from app.services import attachments, todos
from app.services.permissions import load_user
from tests.attachments.conftest import chunk_count, readable, stored, submit, upload
from tests.attachments.samples import text
from tests.factories import create_attachment, create_todo

KILOBYTE = 1 << 10
LARGE = 600 * KILOBYTE  # one fits into a megabyte, two do not


@pytest.fixture
def small(make_app):
    """The application with one megabyte for a person and one for a todo."""
    return make_app(USER_QUOTA_MB="1", TODO_QUOTA_MB="1")


def test_upload_beyond_the_space_of_a_person_is_named_and_the_first_waits(login, make_app):
    client = login("alice", make_app(USER_QUOTA_MB="1"))
    files = [upload(text(LARGE), "first.txt"), upload(text(LARGE), "second.txt")]
    answer = submit(client, "/todos", {"title": "Plants", "attachments": files})
    assert answer.status_code == 400
    assert "second.txt does not fit into your 1 MB: remove files that you do not need." in readable(answer)
    assert [file.name for file in stored()] == ["first.txt"]
    assert chunk_count() == 3


def test_files_of_one_todo_beyond_its_space_are_refused_and_wait(login, make_app, cast):
    todo = create_todo(cast.alice)
    create_attachment(todo, text(LARGE), "old.txt", "text/plain")
    client = login("alice", make_app(TODO_QUOTA_MB="1"))
    facts = {"title": "Plants", "version": str(todo.version)}
    path = f"/todos/{todo.id}"
    answer = submit(client, path, facts | {"attachments": upload(text(LARGE), "new.txt")})
    assert answer.status_code == 400
    assert "The files of a todo may have 1 MB together, these have 1.2 MB." in readable(answer)
    old, new = stored()
    assert (new.name, new.todo_id) == ("new.txt", None)
    waiting = {"attachments-waiting": str(new.id), "attachments-remove": str(old.id)}
    assert submit(client, path, facts | waiting).status_code == 302
    assert [file.name for file in stored()] == ["new.txt"]


def test_space_of_others_does_not_count(small, cast):
    with small.app_context():
        for person in (cast.alice, cast.bob):
            attachments.stage(person, io.BytesIO(text(LARGE)), "large.txt", "text/plain")
    assert len(stored()) == 2


@pytest.mark.parametrize("quota", ["person", "todo"])
def test_two_uploads_at_once_do_not_pass_the_edge_together(small, cast, quota):
    todo = create_todo(cast.alice)
    both = Barrier(2)

    def add(user_id):
        with small.app_context():
            person = load_user(user_id)
            file = attachments.stage(person, io.BytesIO(text(LARGE)), "large.txt", "text/plain")
            if quota == "todo":
                row = todos.get(person, todo.id)
                both.wait(10)
                todos.update_todo(person, row, row.version, attachments.Files(added=[file]))

    people = [cast.alice.id, cast.alice.id if quota == "person" else cast.max.id]
    with ThreadPoolExecutor(2) as pool:
        ends = [future.exception() for future in [pool.submit(add, user_id) for user_id in people]]
    # a todo that got a file meanwhile is another version, whatever its space
    assert [type(end) for end in ends if end] == [Invalid if quota == "person" else Stale]
    assert sum(file.size for file in stored() if quota == "person" or file.todo_id) == LARGE
