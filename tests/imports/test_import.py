"""From a file to todos: what is added, what is there already, what is wrong, and all or nothing."""

import csv
import io
import json
import re
from datetime import date

import pytest
from sqlalchemy import func, select

from app.db import transaction
from app.errors import Invalid
from app.extensions import db
from app.models import Attachment, AuditEntry, ImportRow, Notification, Tag, Todo
from app.services import attachments, exports, imports, imports_staged, todos, undo
from app.services.exports_formats import FORMATS
from app.services.imports_formats import Record
from app.services.imports_match import Matcher
from tests.factories import create_tag, create_todo, create_user

TABLE = """title,notes,priority,due_on,complete,assignees,tags
Water the plants,"The big one
first",high,2030-05-01,no,"bob, charlie@example.org","home, Garden"
Buy soil,,,,yes,,
"""


def facts(todo):
    """What somebody who looks at a todo sees."""
    people = [user.username for user in todo.assignees]
    return (todo.title, todo.notes, todo.priority_name, todo.due_on, todo.complete, people, todo.tag_names)


def all_todos():
    return list(db.session.scalars(select(Todo).order_by(Todo.id).execution_options(populate_existing=True)))


@pytest.mark.parametrize("whole", [False, True])
def test_rows_become_todos_of_whoever_imports_them(take, viewer, cast, whole):
    create_tag("garden")
    done = take(viewer("alice"), TABLE, whole=whole)
    assert (done.job.status, done.job.error) == ("succeeded", None)
    assert {name: done.job.result[name] for name in ("added", "updated", "there", "errors")} == {
        **{"added": 2, "updated": 0, "there": 0, "errors": 0}
    }
    plants, soil = all_todos()
    assert facts(plants)[:3] == ("Water the plants", "The big one\nfirst", "high")
    assert facts(plants)[3].isoformat() == "2030-05-01"
    assert facts(plants)[4:] == (False, ["bob", "charlie"], ["garden", "home"])
    assert (soil.title, soil.complete, soil.owner_id) == ("Buy soil", True, cast.alice.id)
    assert db.session.scalar(select(func.count()).select_from(Tag)) == 2


def test_looking_changes_nothing_and_shows_the_rows_as_they_would_be(look, viewer, cast):
    job = look(viewer("alice"), TABLE)
    assert all_todos() == []
    assert (job.result["rows"], job.result["new"], job.result["error"]) == (2, 2, 0)
    assert job.result["format"] == "CSV, UTF-8"
    first = job.result["first"][0]
    assert (first["title"], first["due_on"], first["tags"]) == ("Water the plants", "2030-05-01", ["home", "Garden"])
    assert db.session.scalar(select(func.count()).select_from(Notification)) == 0


@pytest.mark.parametrize("whole", [False, True])
def test_same_file_adds_nothing_twice(take, viewer, cast, whole):
    take(viewer("alice"), TABLE, whole=whole)
    again = take(viewer("alice"), TABLE, whole=whole)
    assert (again.seen["there"], again.seen["new"]) == (2, 0)
    assert (again.job.result["added"], again.job.result["there"]) == (0, 2)
    assert len(all_todos()) == 2
    take(viewer("bob"), TABLE, whole=whole)
    assert len(all_todos()) == 4


def test_update_changes_what_is_there_and_nothing_else(take, viewer, cast):
    take(viewer("alice"), "id,title,notes\nA-1,Water the plants,big\nA-2,Buy soil,\n")
    versions = [todo.version for todo in all_todos()]
    changed = "id,title,complete,tags\nA-1,Water all plants,yes,home\nA-2,Buy soil,no,\n"
    kept = take(viewer("alice"), changed)
    assert (kept.job.result["there"], all_todos()[0].title) == (2, "Water the plants")
    done = take(viewer("alice"), changed, change=True)
    assert (done.job.result["updated"], done.job.result["there"]) == (1, 1)
    plants, soil = all_todos()
    assert facts(plants)[:2] == ("Water all plants", "big")
    assert (plants.complete, plants.tag_names) == (True, ["home"])
    assert [plants.version - versions[0], soil.version - versions[1]] == [1, 0]
    entry = db.session.scalar(select(AuditEntry).filter_by(todo_id=plants.id, action="changed"))
    assert (entry.job_id, entry.changes["title"]) == (done.job.id, ["Water the plants", "Water all plants"])


def test_update_leaves_alone_what_is_not_the_viewers_to_change(take, viewer, cast):
    take(viewer("alice"), "id,title\nA-1,Water the plants\n")
    with transaction():
        all_todos()[0].owner_id = cast.bob.id
    done = take(viewer("alice"), "id,title\nA-1,Changed\n", change=True)
    assert (done.job.result["updated"], done.job.result["there"]) == (0, 1)
    assert all_todos()[0].title == "Water the plants"


WRONG = {
    "no title": (" ,high,,,", "A todo needs a title."),
    "long title": ("x" * 201 + ",,,,", "A title has at most 200 characters, this one has 201."),
    "priority": ("A,5,,,", "There is no such priority: write urgent, high, normal or low."),
    "date": ("A,,31.12.2030,,", "This is no date: write it as 2030-12-31."),
    "no such day": ("A,,2030-02-30,,", "This is no date: write it as 2030-12-31."),
    "nobody": ("A,,,nobody,", "There is nobody called nobody."),
    "somebody who left": ("A,,,dora,", "There is nobody called dora."),
    "somebody's owner": ("A,,,,bob", "You can add todos for yourself only."),
    "too many cells": ("A,,,,,more", "The row has more cells than the first line: a quotation mark may be missing."),
    "control character": ("A\x1bB,,,,", "A title is one line without invisible control characters."),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_row_is_explained_and_left_out(take, viewer, cast, case):
    with transaction():
        create_user("dora").active = False
    line, reason = WRONG[case]
    done = take(viewer("alice"), f"title,priority,due_on,assignees,owner\nGood,,,,\n{line}\n")
    assert (done.seen["error"], done.seen["new"]) == (1, 1)
    assert done.seen["reasons"][0]["row"] == 3
    assert reason in done.seen["reasons"][0]["reason"]
    assert [todo.title for todo in all_todos()] == ["Good"]
    assert done.job.result["errors"] == 1


def test_all_or_nothing_adds_nothing_when_one_row_is_wrong(take, viewer, cast):
    rows = "".join(f"Todo {number},home\n" for number in range(700))
    done = take(viewer("alice"), f"title,tags\n{rows},home\n", whole=True)
    assert done.job.status == "failed"
    assert done.job.error == "Row 702: A todo needs a title. Nothing was imported."
    assert all_todos() == []
    assert db.session.scalar(select(func.count()).select_from(Tag)) == 0
    assert db.session.scalar(select(func.count()).select_from(AuditEntry).filter_by(entity="todo")) == 0


def test_errors_come_as_a_file_that_no_spreadsheet_executes(look, viewer, cast):
    job = look(viewer("alice"), 'title,priority\nGood,high\nBad,"=1+1"\n')
    file = db.session.get(Attachment, job.result["problems"])
    text = attachments.open_file(file).read().decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text))) == [
        ["row", "column", "value", "reason"],
        ["3", "priority", "'=1+1", "There is no such priority: write urgent, high, normal or low."],
    ]


def test_row_that_comes_twice_in_one_file_is_wrong(take, viewer, cast):
    done = take(viewer("alice"), "title\nA\nB\nA\n")
    assert done.seen["reasons"] == [{"row": 4, "column": "", "value": "", "reason": "This is the same as row 2."}]
    assert len(all_todos()) == 2


def test_new_tags_need_the_right_to_make_them(take, viewer, cast):
    create_tag("home")
    alice = viewer("alice")
    alice.permissions -= {("can_create", "Tag")}
    matcher = Matcher(alice, {"title": "title", "tags": "tags"})
    rows = list(matcher.read([Record(2, {"title": "A", "tags": "home"}), Record(3, {"title": "B", "tags": "new"})]))
    matcher.match(rows)
    assert [row.outcome for row in rows] == ["new", "error"]
    assert rows[1].problems[0].reason == "There is no tag called new, and your role does not let you add one."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "This file is empty."),
        ("\ufeff \r\n", "This file is empty."),
        ("PK\x03\x04", "This is an Excel workbook"),
        ("[]", "This is one JSON array."),
        ("<html>", "none of the formats"),
        ("just some words\nin lines\n", "none of the formats"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "no text that can be read"),
        ("1,2,3\n4,5,6\n", "The first line of a CSV names its columns."),
    ],
)
def test_what_cannot_be_imported_is_refused_with_a_reason(look, viewer, cast, data, reason):
    with pytest.raises(Invalid, match=re.escape(reason)):
        look(viewer("alice"), data)


def test_file_with_a_header_only_has_no_todo(look, viewer, cast):
    job = look(viewer("alice"), "title,notes\n")
    assert (job.status, job.error) == ("failed", "There is no todo in this file.")


def test_file_without_a_title_asks_which_column_it_is(look, take, viewer, cast):
    text = "Was,Wann\nWater,2030-05-01\n"
    assert look(viewer("alice"), text).result["mapping"] == {}
    done = take(viewer("alice"), text, mapping={"title": "Was", "due_on": "Wann", "notes": "not there"})
    assert done.seen["mapping"] == {"title": "Was", "due_on": "Wann"}
    assert [(todo.title, todo.due_on.isoformat()) for todo in all_todos()] == [("Water", "2030-05-01")]


def test_import_is_undone_as_one_step_and_can_be_done_again(take, viewer, cast):
    done = take(viewer("alice"), TABLE)
    assert undo.take_back(viewer("alice"), done.job.result["step"]).count == 2
    assert all(todo.deleted_at and todo.deleted_by_id == cast.alice.id for todo in all_todos())
    again = take(viewer("alice"), TABLE)
    assert again.job.result["added"] == 2
    assert len([todo for todo in all_todos() if not todo.deleted_at]) == 2


def test_undo_gives_back_what_an_import_updated_and_spares_what_changed_since(take, viewer, cast):
    garden = create_tag("garden")
    take(viewer("alice"), "id,title,notes,priority,assignees,tags\n1,One,a,high,bob,garden\n2,Two,,,,\n3,Same,,,,\n")
    before = [facts(todo) for todo in all_todos()]
    head = "id,title,notes,assignees,tags,complete"
    lines = "1,Uno,b,charlie,home,yes\n2,Dos,,,home,\n3,Same,,,,\n4,Four,,bob,home,\n"
    step = take(viewer("alice"), f"{head}\n{lines}", change=True).job.result["step"]
    todos.create(viewer("alice"), title="Not imported")
    two = all_todos()[1]
    todos.update_todo(viewer("alice"), two, two.version, title="Since")
    done = undo.take_back(viewer("alice"), step)
    assert (done.count, done.left) == (2, ["Since"])
    one, two, same, four, _ = all_todos()
    assert [facts(one), facts(same)] == [before[0], before[2]]
    assert (one.complete, one.completed_at, garden in one.tags) == (False, None, True)
    assert (facts(four)[5:], four.deleted_by_id) == ((["bob"], ["home"]), cast.alice.id)
    entry = db.session.scalars(select(AuditEntry).filter_by(todo_id=one.id).order_by(AuditEntry.id.desc())).first()
    assert entry.changes["title"] == ["Uno", "One"]


def test_undo_of_an_import_deletes_nothing_for_those_who_may_not(take, viewer, cast):
    take(viewer("alice"), "id,title\n1,One\n")
    step = take(viewer("alice"), "id,title\n1,Uno\n2,Two\n", change=True).job.result["step"]
    alice = viewer("alice")
    alice.permissions -= {("can_delete", "Todo")}
    assert undo.take_back(alice, step).count == 1
    assert [(todo.title, todo.deleted_at) for todo in all_todos()] == [("One", None), ("Two", None)]


def test_two_imports_of_the_same_rows_at_once_add_them_once(look, viewer, cast, app):
    """Both were matched before either was written; the second one to be written finds what the first one added."""
    looked = [look(viewer("alice"), f"id,title\nA-1,One\nA-{number},Two\n") for number in (2, 3)]
    both = [imports.Reading(viewer("alice"), job.args["file"]) for job in looked]
    with transaction():
        for reading, job in zip(both, looked, strict=True):
            reading.start(job.result["mapping"])
            imports_staged.keep(job.id, reading.rows(range(2)))
    counts = []
    for job in looked:
        with transaction():
            step = undo.begin(cast.alice.id, "import")
            counts.append(imports_staged.write(viewer("alice"), job.id, step, False))
    assert counts == [(2, 0, 0), (1, 0, 1)]
    assert sorted(todo.title for todo in all_todos()) == ["One", "Two", "Two"]
    assert db.session.scalar(select(func.count()).select_from(ImportRow)) == 0


def test_todos_in_the_trail_name_the_job_and_its_starter(take, viewer, cast):
    done = take(viewer("alice"), TABLE)
    entries = db.session.scalars(select(AuditEntry).filter_by(entity="todo", action="created")).all()
    assert {(entry.actor_id, entry.job_id) for entry in entries} == {(cast.alice.id, done.job.id)}
    assert len(entries) == 2


def exported(viewer, kind):
    """The export of all todos, as a file."""
    ids = [todo.id for todo in all_todos() if not todo.deleted_at]
    with FORMATS[kind]() as file:
        file.write(exports.rows(viewer, ids))
        return file.content().read()


def without_ids(data, kind):
    """What an export says of todos, but for their numbers."""
    text = data.decode("utf-8-sig")
    if kind == "csv":
        return [
            {name: value for name, value in row.items() if name != "id"} for row in csv.DictReader(io.StringIO(text))
        ]
    return [json.loads(line) | {"id": None} for line in text.splitlines()]


def said(data, kind):
    """What an export says of todos, but for what only this site knows."""
    if kind != "ics":
        return without_ids(data, kind)
    lines = data.decode().splitlines()
    return [line for line in lines if line.split(":")[0] not in ("UID", "X-TODOS-ID", "DTSTAMP", "SEQUENCE")]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "ics"])
def test_import_of_an_export_is_what_was_exported(take, viewer, cast, kind):
    plants = create_todo(
        cast.alice, "'=1+1", notes="a\n\"b\", 'c'", assignees=[cast.bob], priority=0, due_on=date(2030, 5, 1)
    )
    create_tag("home", plants)
    create_todo(cast.alice, "Done", complete=True)
    before = exported(viewer("alice"), kind)
    here = take(viewer("alice"), before)
    assert (here.job.result["added"], here.job.result["there"]) == (0, 2)
    todos.delete_todos(viewer("alice"), [todo.id for todo in all_todos()])
    done = take(viewer("alice"), before)
    assert done.job.result["added"] == 2
    assert said(exported(viewer("alice"), kind), kind) == said(before, kind)
