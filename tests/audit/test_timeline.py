"""The history on the page of a todo: who did what, mixed with what was said, for those who see the todo."""

import re
from datetime import date

import pytest

from app.db import transaction
from app.models import AuditEntry
from app.services import audit_names, audit_reading, audit_sentences, todos
from tests.factories import create_comment, create_tag, create_todo


@pytest.fixture
def history(cast, viewer):
    """Alice's todo with some of everything."""
    todo = create_todo(cast.alice, "Water the plants")
    alice = viewer("alice")
    changes = (
        {"title": "Water all plants"},
        {"due_on": date(2030, 5, 1)},
        {"due_on": date(2030, 5, 3), "priority": 0},
        {"due_on": None},
        {"notes": "<b>Twice</b>"},
        {"assignees": [cast.bob, cast.charlie]},
        {"assignees": [cast.bob]},
        {"tag_names": ["garden"]},
    )
    for fields in changes:
        todos.update_todo(alice, todo, todo.version, **fields)
    todos.set_complete(viewer("bob"), [todo.id], True)
    return todo


SENTENCES = [
    "added this todo",
    "changed the title from “Water the plants” to “Water all plants”",
    "set the due date to 1 May 2030",
    "changed the priority from normal to urgent and changed the due date from 1 May 2030 to 3 May 2030",
    "removed the due date 3 May 2030",
    "changed the notes",
    "assigned Bob Member and Charlie Member",
    "unassigned Charlie Member",
    "tagged it garden",
    "completed it",
]


def test_entries_read_as_sentences(history):
    entries = audit_reading.of_todo(history.id, None, 50)[::-1]
    names = audit_names.names(entries)
    assert [audit_sentences.of_todo(entry, names) for entry in entries] == SENTENCES


@pytest.mark.parametrize(
    ("names", "text"), [(["a.txt"], "the file “a.txt”"), (["a.txt", "b.txt"], "the files “a.txt” and “b.txt”")]
)
def test_one_file_or_several_are_removed(cast, names, text):
    entry = AuditEntry(kind="data", action="changed", entity="todo", changes={"attachments": [names, []]})
    assert audit_sentences.of_todo(entry, audit_names.names([entry])) == f"removed {text}"


def test_page_mixes_what_was_done_with_what_was_said(login, cast, history):
    create_comment(history, cast.bob, "Done at last")
    text = login("bob").get(f"/todos/{history.id}").text
    places = [
        text.index(words) for words in ("added this todo", "removed the due date", "completed it", "Done at last")
    ]
    assert places == sorted(places)
    assert "&lt;b&gt;Twice" in text
    assert "<b>Twice" not in text


def test_strangers_see_no_history_and_those_who_see_the_todo_do(login, history, cast):
    assert login("charlie").get(f"/todos/{history.id}").status_code == 404
    assert "removed the due date" in login("vera").get(f"/todos/{history.id}").text


def test_change_through_the_page_names_who_and_the_screen_from_where(login, cast, since):
    todo = create_todo(cast.alice)
    since()
    form = {"title": "Other", "priority": 1, "assignees": "", "version": todo.version}
    assert login("alice").send(f"/todos/{todo.id}", form, environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 302
    (entry,) = since()
    assert (entry.actor_id, entry.program, entry.address) == (cast.alice.id, None, "192.0.2.7")
    assert re.fullmatch(r"[0-9a-f]{16}", entry.request_id)


def test_long_histories_have_pages_without_gap_or_repetition(login, cast):
    todo = create_todo(cast.alice, "Title 00")
    for number in range(1, 45):
        with transaction():
            todo.title = f"Title {number:02}"
        create_comment(todo, cast.alice, f"Said {number:02}.")
    client, path, seen = login("alice"), f"/todos/{todo.id}", []
    while path:
        page = client.get(path).text
        seen = re.findall(r"to “Title (\d\d)”|>Said (\d\d)\.", page) + seen
        earlier = re.search(r'href="([^"#]+)#timeline">Earlier', page)
        path = earlier[1] if earlier else None
    assert seen == [pair for i in range(1, 45) for pair in ((f"{i:02}", ""), ("", f"{i:02}"))]


def test_damaged_link_to_earlier_history_is_refused(login, history):
    assert login("alice").get(f"/todos/{history.id}?before=long ago").status_code == 400


def test_deleted_tag_and_anonymous_person_do_not_break_the_page(login, cast, history):
    tag = create_tag("gone", history)
    with transaction() as session:
        session.delete(tag)
        cast.bob.first_name, cast.bob.last_name = "Former", "user"
    text = login("alice").get(f"/todos/{history.id}").text
    assert "Former user" in text
    assert "Bob Member" not in text.split('id="timeline"')[1]
