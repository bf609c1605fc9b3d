"""Imports in batches: others go on, a worker that ends hands over, and the trail tells what it tells of any todo."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from app.extensions import db
from app.models import Attachment, AuditEntry, ImportRow, Job, Todo
from app.services import attachments, imports, imports_staged, todos
from app.services.permissions import load_user
from app.tasks.imports import import_todos
from app.tasks.runner import execute, submit
from tests.factories import create_tag
from tests.imports.conftest import ran

ROWS = "title,priority,tags\n" + "".join(f"Todo {number},high,home\n" for number in range(7))


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 3)


@pytest.fixture
def start(look):
    """Returns a function that has a file looked at and an import of it submitted."""

    def begin(viewer, data, whole):
        seen = look(viewer, data)
        facts = {"file": seen.args["file"], "sha256": seen.args["sha256"], "mapping": seen.result["mapping"]}
        return submit(viewer, import_todos, **facts, whole=whole, change=False)

    return begin


def rows_of(model):
    return db.session.scalar(select(func.count()).select_from(model))


def test_others_save_while_all_or_nothing_is_under_way(app, start, viewer, cast, small_batches, monkeypatch):
    job, keep = start(viewer("alice"), ROWS, whole=True), imports_staged.keep

    def elsewhere():
        with app.app_context():
            return todos.create(load_user(cast.bob.id), title="Meanwhile").id, rows_of(Todo)

    with ThreadPoolExecutor(1) as pool:

        def keep_while_somebody_saves(*args):
            seen.append(pool.submit(elsewhere).result()[1])
            keep(*args)

        seen = []
        monkeypatch.setattr(imports_staged, "keep", keep_while_somebody_saves)
        assert ran(job).result["added"] == 7
    assert seen == [1, 2, 3]  # and nobody sees a row of the import before all are there
    assert (rows_of(Todo), rows_of(ImportRow)) == (10, 0)


@pytest.mark.parametrize("whole", [False, True])
def test_successor_of_a_worker_that_ends_goes_on_and_lists_all_errors(start, viewer, cast, small_batches, whole):
    wrong = "" if whole else "Bad,no,\n"
    job = start(viewer("alice"), ROWS.replace("tags\n", f"tags\n{wrong}") + wrong.replace("Bad", "Worse"), whole)
    turns = iter([True])
    execute(job.id, is_stopping=lambda: next(turns, False))
    assert (db.session.get(Job, job.id, populate_existing=True).progress_done, rows_of(Todo)) == (3, 0 if whole else 2)
    done = ran(job)
    assert (done.status, done.result["added"], done.result["errors"]) == ("succeeded", 7, 0 if whole else 2)
    assert sorted(db.session.scalars(select(Todo.title))) == [f"Todo {number}" for number in range(7)]
    if not whole:
        text = attachments.open_file(db.session.get(Attachment, done.result["problems"])).read().decode("utf-8-sig")
        assert [row["row"] for row in csv.DictReader(io.StringIO(text))] == ["2", "10"]


def test_import_that_failed_leaves_rows_that_are_swept(start, viewer, cast, small_batches):
    failed = ran(start(viewer("alice"), ROWS + "Bad,no,\n", whole=True))
    assert failed.error.startswith("Row 9: There is no such priority")
    waiting = start(viewer("bob"), ROWS, whole=True)
    imports_staged.keep(waiting.id, [])
    assert (rows_of(Todo), rows_of(ImportRow), imports_staged.sweep(), rows_of(ImportRow)) == (0, 6, 6, 0)


def test_trail_says_of_an_imported_todo_what_it_says_of_any(take, viewer, cast):
    create_tag("garden")
    text = 'title,notes,due_on,assignees,tags\n"A ""b"" ü",c,2030-05-01,"bob,charlie","home,garden"\n'
    take(viewer("alice"), text)
    (todo,) = db.session.scalars(select(Todo))
    todos.create(
        viewer("alice"),
        title=todo.title,
        notes=todo.notes,
        due_on=todo.due_on,
        assignees=list(todo.assignees),
        tag_names=todo.tag_names,
    )
    one, other = db.session.scalars(select(AuditEntry).filter_by(entity="todo").order_by(AuditEntry.id))
    assert one.changes | {"tags": [[], sorted(one.changes["tags"][1])]} == other.changes
    assert one.actor_id == cast.alice.id
    for name in ("kind", "action", "label", "version"):
        assert getattr(one, name) == getattr(other, name)
    assert (one.row_id, one.todo_id) == (todo.id, todo.id)
