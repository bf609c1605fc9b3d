"""The pages of an import: choose, look, import; without JavaScript."""

import io

from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage

from app.extensions import db
from app.models import Attachment, Job, Todo
from tests.attachments.conftest import submit
from tests.factories import create_job
from tests.imports.conftest import ran

TABLE = "title;due_on\nGrüße;2030-05-01\nBuy soil;tomorrow\n"


def upload(client, data, name="list.csv"):
    """Send a file as the page does."""
    data = data.encode("utf-16") if isinstance(data, str) else data
    return submit(client, "/todos/import", {"file": FileStorage(io.BytesIO(data), name)})


def last_job():
    return db.session.scalar(select(Job).order_by(Job.id.desc()).execution_options(populate_existing=True))


def test_errors_that_are_not_shown_are_counted(login, cast):
    client = login("alice")
    for wrong, said in ((5, ""), (6, "… and 1 more")):
        rows = "".join(f"Bad {number},x,\n" for number in range(wrong - 2))
        answer = upload(client, f"title,due_on,priority\nGood,,\n{rows}Worse,x,x\n".encode())
        ran(last_job())
        page = client.get(answer.location).text
        assert said in page
        assert ("more</li>" in page) == bool(said)


def test_columns_that_are_not_imported_are_named(login, cast):
    client = login("alice")
    for table, said in (("title,Colour,Who\nPaint,red,bob\n", "Not imported: Colour<"), ("title\nPaint\n", "")):
        answer = upload(client, table.encode())
        assert ran(last_job()).status == "succeeded"
        page = client.get(answer.location).text
        assert said in page
        assert ("Not imported" in page) == bool(said)


def test_member_imports_a_file_page_by_page(login, cast):
    client = login("alice")
    assert 'href="/todos/import"' in client.get("/todos").text
    answer = upload(client, TABLE)
    looked = last_job()
    assert answer.location == f"/todos/import/{looked.id}"
    assert "Looking at the file" in client.get(answer.location).text
    ran(looked)
    page = client.get(answer.location).text
    assert "CSV, UTF-16" in page
    assert "Row 3, due_on “tomorrow”: This is no date: write it as 2030-12-31." in page
    assert "Grüße" in page
    started = client.send(f"{answer.location}/run", {"errors": "skip", "there": "skip"})
    job = ran(last_job())
    assert started.location == f"/jobs/{job.id}"
    page = client.get(started.location).text
    assert "<strong>1</strong> added" in page
    assert "<strong>1</strong> left out, with errors" in page
    assert list(db.session.scalars(select(Todo.title))) == ["Grüße"]
    assert f'action="/undo/{job.result["step"]}"' in page
    client.send(f"/undo/{job.result['step']}")
    assert db.session.scalar(select(Todo.deleted_at)) is not None


def test_import_that_was_cancelled_leads_back_to_its_rows_and_their_errors(login, cast):
    client = login("alice")
    looked = upload(client, TABLE).location
    problems = ran(last_job()).result["problems"]
    path = client.send(f"{looked}/run", {"errors": "skip", "there": "skip"}).location
    client.send(f"{path}/cancel")
    page = client.get(path).text
    assert "Nothing was imported." in page
    assert f'href="{looked}"' in page
    assert f'href="/files/{problems}"' in client.get(looked).text
    again = client.send(f"{looked}/run", {"errors": "skip", "there": "skip"}).location
    ran(last_job())
    assert f'href="{looked}"' not in client.get(again).text


def test_second_click_starts_nothing_twice(login, cast):
    client = login("alice")
    first, second = upload(client, TABLE), upload(client, TABLE)
    assert first.location == second.location
    assert db.session.scalar(select(func.count()).select_from(Attachment)) == 1
    ran(last_job())
    choices = {"errors": "skip", "there": "skip"}
    first, second = (client.send(f"{first.location}/run", choices) for _ in range(2))
    assert first.location == second.location


def test_look_shows_the_first_twenty_rows(login, cast):
    client = login("alice")
    path = upload(client, "title\n" + "".join(f"Row {number}.\n" for number in range(25))).location
    ran(last_job())
    page = client.get(path).text
    assert "<h2>The first 20 rows</h2>" in page
    assert [f"Row {number}." in page for number in (0, 19, 20)] == [True, True, False]
    assert "<strong>25</strong> new" in page


def test_columns_that_were_chosen_stay_chosen(login, cast):
    client = login("alice")
    path = upload(client, "Was,Wann\nWater,2030-05-01\n").location
    ran(last_job())
    page = client.get(path).text
    assert "No column looks like a title" in page
    refused = client.send(f"{path}/run", {"errors": "skip"})
    assert refused.status_code == 409
    again = client.send(f"{path}/columns", {"title": "Was", "due_on": "Wann", "notes": "", "owner": "nonsense"})
    ran(last_job())
    page = client.get(again.location).text
    assert "<option selected>Was</option>" in page
    assert "<strong>1</strong> new" in page


def test_what_is_no_list_of_todos_is_refused_at_once(login, cast):
    client = login("alice")
    answer = upload(client, b"PK\x03\x04", "todos.csv")
    assert answer.status_code == 400
    assert "This is an Excel workbook" in answer.text
    answer = upload(client, b"", "")
    assert "Choose a file first." in answer.text
    assert db.session.scalar(select(func.count()).select_from(Job)) == 0


def test_file_is_its_owners_alone_and_goes_with_the_job(login, cast):
    upload(login("alice"), TABLE)
    job, file = last_job(), db.session.scalar(select(Attachment))
    assert file.job_id == job.id
    assert login("alice").get(f"/files/{file.id}").status_code == 200
    for other in ("bob", "ada"):
        assert login(other).get(f"/files/{file.id}").status_code == 404
        assert login(other).get(f"/todos/import/{job.id}").status_code == 404


def test_other_jobs_are_no_imports(login, cast):
    client = login("alice")
    job = create_job(cast.alice, "succeeded")
    assert client.get(f"/todos/import/{job.id}").status_code == 404


def test_file_can_be_removed_before_its_time(login, cast):
    client = login("alice")
    path = upload(client, TABLE).location
    ran(last_job())
    client.send(f"{path}/remove")
    page = client.get(path).text
    assert "The file is not there any more." in page
    assert "Import 1 todo" not in page
    assert client.send(f"{path}/run", {"errors": "skip"}).status_code == 404
    names = set(db.session.scalars(select(Attachment.name)))
    assert len(names) == 1
    assert names.pop().startswith("import-errors")


def test_imported_files_count_towards_the_space_of_a_person(login, make_app, cast):
    client = login("alice", make_app(USER_QUOTA_MB="1", MAX_UPLOAD_MB="2"))
    rows = b"title,notes\n" + b"".join(b"%d,%s\n" % (number, b"x" * 1000) for number in range(700))
    assert upload(client, rows).status_code == 302
    refused = upload(client, rows + b"one,more\n", "more.csv")
    assert refused.status_code == 400
    assert "more.csv does not fit into your 1 MB: remove files that you do not need." in refused.text
    refused = upload(client, rows * 3, "large.csv")
    assert "large.csv is larger than 2 MB." in refused.text
