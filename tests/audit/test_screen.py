"""The admin's screen of the trail: by right, filtered, read-only, exported by a job."""

import csv
import io

import pytest
from sqlalchemy import select

from app.db import transaction
from app.extensions import db
from app.models import Attachment, AuditEntry, Todo
from app.services import attachments, todos, users_accounts
from app.tasks import turns
from app.tasks.audit import export_audit
from app.tasks.runner import execute, submit
from tests.factories import create_todo

LIST = "/admin/audit/list/"


@pytest.fixture
def trail(cast, viewer):
    """Alice's todo was added by a command, changed by her; Bob failed to log in."""
    todo = create_todo(cast.alice, "Water the plants")
    todos.update_todo(viewer("alice"), todo, 1, title="=HYPERLINK(1)", priority=0)
    users_accounts.authenticate("bob", "wrong")
    return todo


def page(client, **filters) -> str:
    answer = client.get(LIST, query_string=filters)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_admin_reads_all_and_a_manager_what_was_done_to_todos(login, trail):
    whole, some = page(login("ada")), page(login("max"))
    for text in (whole, some):
        assert f"todo {trail.id} “=HYPERLINK(1)”: changed the title from “Water the plants” to “=HYPERLINK(1)”" in text
    assert "typed a wrong password for Bob Member" in whole
    assert "wrong password" not in some.split("</form>")[-1]
    entry = db.session.scalar(select(AuditEntry.id).filter_by(action="login_failed"))
    assert login("ada").get(f"/admin/audit/show/{entry}").status_code == 200
    assert login("max").get(f"/admin/audit/show/{entry}").status_code == 404


def test_job_of_the_schedule_is_told_of_the_system_and_not_of_somebody(login, trail):
    execute(turns.start("todos.count_open").id)
    rows = page(login("ada"), kind="job").split("</form>")[-1]
    assert "The system" in rows
    assert "Somebody" not in rows


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        ({"kind": "security", "action": "login_failed"}, 1),
        ({"action": "changed", "entity": "todo"}, 1),
        ({"who": "nobody of this name"}, 0),
        ({"who": "command line", "entity": "todo"}, 2),
        ({"since": "2020-01-01", "until": "2020-12-31"}, 0),
        ({"since": "2020-01-01", "entity": "todo"}, 2),
        ({"until": "9999-12-31", "entity": "todo"}, 2),
    ],
)
def test_filters_narrow_the_list(login, trail, filters, shown):
    text = page(login("ada"), **filters)
    assert f"{shown} row" in text


def test_row_filter_shows_the_history_of_one_todo(login, cast, trail):
    create_todo(cast.alice, "Another one")
    text = page(login("ada"), entity="todo", row=str(trail.id))
    assert "2 rows" in text
    assert "Another one" not in text


@pytest.mark.parametrize("query", ["since=soon", "row=x", "row=99999999999", "who=" + "x" * 200])
def test_damaged_filters_are_refused(login, trail, query):
    assert login("ada").get(f"{LIST}?{query}").status_code == 400


def test_entry_shows_each_value_before_and_after(login, trail):
    entry = db.session.scalar(select(AuditEntry.id).filter_by(action="changed", entity="todo"))
    text = login("ada").get(f"/admin/audit/show/{entry}").get_data(as_text=True)
    for value in ("Water the plants", "=HYPERLINK(1)", "normal", "urgent"):
        assert value in text


def test_nothing_can_be_added_changed_or_deleted_by_hand(app):
    methods = {
        rule.endpoint.split(".")[1] for rule in app.url_map.iter_rules() if rule.endpoint.startswith("AuditAdmin.")
    }
    assert methods == {"list", "show", "export"}


def test_export_writes_what_the_list_shows_and_no_formulas(login, cast, viewer, trail):
    answer = login("ada").send("/admin/audit/export?entity=todo&action=changed")
    assert answer.status_code == 302
    job_id = int(answer.location.rsplit("/", 1)[1])
    execute(job_id)
    file = db.session.scalar(select(Attachment).filter_by(job_id=job_id))
    with attachments.open_file(file) as stream:
        rows = list(csv.DictReader(io.StringIO(stream.read().decode("utf-8-sig"))))
    assert len(rows) == 1
    assert rows[0]["what"].startswith(f"todo {trail.id} “=HYP")
    assert rows[0]["row"] == str(trail.id)
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in rows[0].values())


def test_export_gives_a_manager_nothing_more_than_the_screen(viewer, cast, trail):
    from app.errors import Denied

    with pytest.raises(Denied):
        submit(viewer("max"), export_audit)


def test_hostile_text_is_shown_as_text(login, cast):
    create_todo(cast.alice, "<script>alert(1)</script>")
    with transaction() as session:
        session.get(type(cast.bob), cast.bob.id).first_name = "<img src=x>"
    text = page(login("ada"))
    assert "<script>alert" not in text
    assert "<img src=x>" not in text
    assert db.session.scalar(select(Todo.title)) == "<script>alert(1)</script>"
