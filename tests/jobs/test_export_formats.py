"""The other formats of an export, read back by the libraries that people use."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from hashlib import sha256
from io import BytesIO
from zipfile import ZipFile

import pytest
from icalendar import Calendar
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape
from sqlalchemy import insert, select

from app.db import transaction
from app.extensions import db
from app.models import Attachment, Job, Todo
from app.services import attachments, attachments_results, exports_archive, exports_xlsx
from app.services.exports import COLUMNS
from app.tasks.runner import execute
from tests.factories import create_attachment, create_job, create_tag, create_todo
from tests.jobs.test_export_file import FORMULAS, HARMLESS


@pytest.fixture
def exported(login):
    """Returns a function that exports all todos of Alice and returns the bytes of the file."""

    def export(kind: str, **more: str) -> bytes:
        client = login("alice")
        answer = client.send("/selection/export?all=1&show=any", {"kind": kind} | more)
        job_id = int(answer.location.rpartition("/")[2])
        execute(job_id)
        page = client.get(f"/jobs/{job_id}").text
        assert "Download todos-" in page, page
        link = page.split('href="/files/')[1].split('"')[0]
        return client.get(f"/files/{link}").data

    return export


@pytest.fixture
def full(cast):
    """A todo with everything, and one with nothing."""
    todo = create_todo(
        cast.alice, "Plants", notes="All\nof them", priority=0, due_on=date(2026, 12, 1), assignees=[cast.charlie]
    )
    create_tag("home", todo)
    create_attachment(todo)
    return todo, create_todo(cast.alice, "Ünd “so”", complete=True, completed_at=datetime(2026, 1, 2, 3, tzinfo=UTC))


def test_json_lines_carry_every_value_as_what_it_is(exported, full):
    first, second = (json.loads(line) for line in exported("jsonl").decode().splitlines())
    todo = full[0]
    assert list(first) == list(COLUMNS)
    assert first == {
        **{"id": todo.id, "title": "Plants", "notes": "All\nof them", "priority": "urgent", "due_on": "2026-12-01"},
        **{"complete": False, "completed_at": None, "owner": "alice", "assignees": ["charlie"], "tags": ["home"]},
        **{"created_at": todo.created_at.isoformat(), "updated_at": todo.updated_at.isoformat()},
        **{"attachments": ["dot.png"]},
    }
    assert (second["title"], second["complete"]) == ("Ünd “so”", True)
    assert datetime.fromisoformat(second["completed_at"]) == full[1].completed_at


def test_json_lines_escape_nothing_for_spreadsheets(exported, cast):
    texts = [text for text in FORMULAS + HARMLESS if text.strip()]
    for text in texts:
        create_todo(cast.alice, text)
    assert [json.loads(line)["title"] for line in exported("jsonl").decode().splitlines()] == texts


def sheet(data: bytes) -> list[list]:
    return [list(row) for row in load_workbook(BytesIO(data), read_only=True).active.iter_rows()]


def test_workbook_has_dates_numbers_and_text(exported, full):
    head, first, second = sheet(exported("xlsx"))
    assert [cell.value for cell in head] == list(COLUMNS)
    row = dict(zip(COLUMNS, (cell.value for cell in first), strict=True))
    todo = full[0]
    assert (row["id"], row["title"], row["notes"], row["due_on"]) == (
        *(todo.id, "Plants", "All\nof them"),
        datetime(2026, 12, 1),
    )
    assert (row["complete"], row["completed_at"], row["assignees"], row["tags"]) == ("no", None, "charlie", "home")
    assert abs((row["created_at"].replace(tzinfo=UTC) - todo.created_at).total_seconds()) < 1
    assert second[COLUMNS.index("completed_at")].value == datetime(2026, 1, 2, 3)


def test_workbook_executes_nothing(exported, cast):
    texts = [text for text in FORMULAS if text.strip()] + ["_x0041_", "https://evil.example/", "ab\x1b"]
    for text in texts:
        create_todo(cast.alice, text, notes=text)
    data = exported("xlsx")
    rows = sheet(data)[1:]
    cells = [cell for row in rows for cell in row[1:3]]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
    assert [unescape(row[1].value) for row in rows] == texts
    assert b"hyperlink" not in data


def test_dates_that_no_sheet_knows_are_text(exported, cast):
    create_todo(cast.alice, due_on=date(1066, 10, 14))
    assert sheet(exported("xlsx"))[1][COLUMNS.index("due_on")].value == "1066-10-14"


def test_full_sheet_says_what_to_do(cast, login, monkeypatch):
    monkeypatch.setattr(exports_xlsx, "MOST_ROWS", 2)
    for _ in range(3):
        create_todo(cast.alice)
    client = login("alice")
    answer = client.send("/selection/export?all=1", {"kind": "xlsx"})
    execute(int(answer.location.rpartition("/")[2]))
    assert "A sheet has room for 2 todos. Export them as CSV or JSON Lines." in client.get(answer.location).text


def test_page_counts_names_and_asks_before_anything_starts(login, cast):
    for number in range(60):
        create_todo(cast.alice, f"Paint {number}")
    create_todo(cast.alice, "Sweep")
    create_todo(cast.charlie, "Paint theirs")
    client = login("alice")
    page = client.get("/selection/export?all=1&q=paint").text
    assert "<h1>Export 60 todos</h1>" in page
    assert "All that match: My todos · Open and done · “paint”" in page
    assert "and 52 more" in page
    assert "Sweep" not in page
    assert "theirs" not in page


DAMAGED = ("", "?id=x", "?id=999999", "?all=1&q=nothing", "?all=1&_flt_9_complete=y", "?all=1&_flt_0_owner=x")


@pytest.mark.parametrize("address", DAMAGED)
def test_damaged_and_empty_selections_are_refused(login, cast, address):
    create_todo(cast.alice)
    client = login("alice")
    assert client.get(f"/selection/export{address}").status_code in (400, 404)
    assert client.send(f"/selection/export{address}", {"kind": "csv"}).status_code in (400, 404)


def test_unknown_format_is_refused(login, cast):
    create_todo(cast.alice)
    assert login("alice").send("/selection/export?all=1", {"kind": "exe"}).status_code == 400


def test_second_click_starts_no_second_job(login, cast):
    create_todo(cast.alice)
    client = login("alice")
    places = {client.send("/selection/export?all=1", {"kind": "csv"}).location for _ in range(2)}
    assert len(places) == 1


def test_whole_lists_wait_behind_what_somebody_waits_for(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    for address, queue in ((f"?id={todo.id}", "interactive"), ("?all=1", "bulk")):
        place = client.send(f"/selection/export{address}", {"kind": "csv"}).location
        assert db.session.get(Job, int(place.rpartition("/")[2])).queue == queue


def test_back_leads_to_the_list_one_came_from(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    for seen in ("/todos?q=water", "/jobs", f"/todos/{todo.id}"):
        client.get(seen)
    assert 'href="/todos?q=water">Back to the list' in client.get(f"/selection/export?id={todo.id}").text
    answer = client.send(f"/selection/priority?id={todo.id}:1", {"priority": 0})
    assert answer.location == "/todos?q=water"
    assert "1 todo given another priority." in client.get(answer.location).text


def test_filters_of_the_generated_list_select_too(login, cast):
    create_todo(cast.alice, "Buy milk", priority=0)
    create_todo(cast.alice, "Buy bread")
    page = login("alice").get("/selection/export?all=1&scope=all&show=any&_flt_2_title=Buy&_flt_0_priority=0").text
    assert "<h1>Export 1 todo</h1>" in page
    assert "Buy milk" in page


def test_calendar_holds_every_todo_as_a_task(exported, full):
    calendar = Calendar.from_ical(exported("ics"))
    first, second = calendar.walk("VTODO")
    assert (str(first["summary"]), str(first["description"])) == ("Plants", "All\nof them")
    assert (first["due"].dt, first["priority"], str(first["status"])) == (date(2026, 12, 1), 1, "NEEDS-ACTION")
    assert [str(word) for word in first["categories"].cats] == ["home"]
    assert (str(second["summary"]), second["completed"].dt) == ("Ünd “so”", full[1].completed_at)
    assert "due" not in second


def test_archive_holds_the_todos_and_every_attachment_as_it_was_uploaded(exported, cast):
    large = b"line\n" * 200_000  # some chunks
    todo = create_todo(cast.alice, "With files")
    with transaction():
        kept = attachments.store(BytesIO(large), "notes.txt", "text/plain", uploader_id=cast.alice.id)
        kept.todo_id = todo.id
    twins = [create_attachment(todo, name="../dot.png"), create_attachment(todo, name="../dot.png")]
    create_attachment(create_todo(cast.charlie), name="secret.png")
    with ZipFile(BytesIO(exported("csv", with_files="y"))) as archive:
        assert archive.testzip() is None
        assert archive.read(f"attachments/{todo.id}/{kept.id}-notes.txt") == large
        assert [name for name in archive.namelist() if name.endswith("dot.png")] == [
            f"attachments/{todo.id}/{twin.id}-dot.png" for twin in twins
        ]
        assert not [name for name in archive.namelist() if "secret" in name]
        (name,) = [name for name in archive.namelist() if "/" not in name]
        assert b"With files" in archive.read(name)


def test_large_file_is_stored_while_others_save_and_is_nobodys_until_it_is_whole(app, cast, monkeypatch):
    monkeypatch.setattr(attachments_results, "PIECE", 1)
    data, job, bob_id = b"line\n" * 200_000, create_job(cast.alice, "running"), cast.bob.id

    def elsewhere():
        with app.app_context():
            db.session.execute(insert(Todo), {"title": "Meanwhile", "owner_id": bob_id})
            db.session.commit()
            return db.session.scalar(select(Attachment.job_id).where(Attachment.size == 0))

    class Interrupted(BytesIO):
        def read(self, size=-1):
            found.append(pool.submit(elsewhere).result())
            return super().read(size)

    found = []
    with ThreadPoolExecutor(1) as pool:
        file_id = attachments_results.keep(Interrupted(data), "todos.zip", "application/zip", job.id, cast.alice.id)
        db.session.commit()
    kept = db.session.get(Attachment, file_id)
    assert (len(found), set(found)) == (5, {None})
    assert (kept.job_id, kept.uploaded_by_id, kept.size) == (job.id, cast.alice.id, len(data))
    assert kept.sha256 == sha256(data).hexdigest()
    assert attachments.open_file(kept).read() == data


def test_archive_that_would_be_too_large_is_refused(cast, login, monkeypatch):
    monkeypatch.setattr(exports_archive, "MOST_BYTES", 10)
    create_attachment(create_todo(cast.alice))
    client = login("alice")
    answer = client.send("/selection/export?all=1", {"kind": "csv", "with_files": "y"})
    execute(int(answer.location.rpartition("/")[2]))
    assert "Choose fewer todos." in client.get(answer.location).text
