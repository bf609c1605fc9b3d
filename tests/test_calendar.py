"""The calendar feed: what calendar programs get, and who gets it."""

from datetime import date, timedelta

import pytest
from icalendar import Calendar

from app.db import transaction, utcnow
from app.extensions import db
from app.models import CalendarFeed, Todo
from app.services import calendars, todos
from app.tokens import feed_token
from tests.conftest import PREFIX, count_queries
from tests.factories import create_todo

DAY = date(2030, 2, 28)


def path_of(client):
    """Make a feed on the page and return its path."""
    client.send("/profile/calendar/renew")
    page = client.get("/profile/calendar").text
    return page.split('value="http://localhost')[1].split('"')[0]


def parsed(answer):
    """Read a calendar back: (tasks, events) by summary."""
    assert answer.status_code == 200
    assert answer.content_type == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(answer.data)
    assert not calendar.errors
    found = ([], [])
    for component in calendar.subcomponents:
        assert not component.errors
        found[component.name == "VEVENT"].append(component)
    return tuple({str(one["summary"]): one for one in kind} for kind in found)


@pytest.fixture
def feed(app, login, cast):
    """Returns a function that asks for Alice's feed without any session."""
    path = path_of(login("alice"))
    return lambda **headers: app.test_client().get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})


NASTY = "Plants; water, them\\all — “ünïcode” 🌱 " + "x" * 120


def test_calendar_reads_back_as_it_was_written(feed, cast, viewer):
    todo = todos.create(
        viewer("alice"), title=NASTY, notes="Nobody's business", due_on=DAY, priority=0, tag_names=["a b"]
    )
    answer = feed()
    tasks, events = parsed(answer)
    task, event = tasks[NASTY], events[NASTY]
    assert (task.decoded("due"), event.decoded("dtstart")) == (DAY, DAY)
    assert b"DUE;VALUE=DATE:20300228" in answer.data
    assert b"DTSTART;VALUE=DATE:20300228" in answer.data
    assert (task.decoded("priority"), str(task["status"]), task.decoded("sequence")) == (1, "NEEDS-ACTION", 0)
    assert str(task["url"]) == f"http://localhost/todos/{todo.id}"
    assert task["categories"].cats == ["a b"]
    assert task["uid"] != event["uid"]
    assert "business" not in answer.text
    assert max(map(len, answer.data.split(b"\r\n"))) <= 75
    assert answer.data.endswith(b"END:VCALENDAR\r\n")


def test_changed_todo_keeps_its_uid_and_counts_its_changes(feed, cast):
    todo = create_todo(cast.alice, "Old", due_on=DAY)
    before = parsed(feed())[0]["Old"]
    with transaction():
        todo.title, todo.complete = "New", True
    tasks, events = parsed(feed())
    after = tasks["New"]
    assert (after["uid"], after.decoded("sequence")) == (before["uid"], 1)
    assert after.decoded("last-modified") >= before.decoded("last-modified")
    assert (str(after["status"]), after.decoded("percent-complete")) == ("COMPLETED", 100)
    assert list(events) == ["✓ New"]


def test_feed_has_ones_own_and_assigned_todos_that_are_due_and_no_other(feed, cast, viewer):
    create_todo(cast.alice, "Mine", due_on=DAY)
    create_todo(cast.bob, "Assigned", due_on=DAY, assignees=[cast.alice])
    create_todo(cast.bob, "Not mine", due_on=DAY)
    create_todo(cast.alice, "Undated")
    create_todo(cast.alice, "Last day", due_on=date(9999, 12, 31))
    old = create_todo(cast.alice, "Done long ago", due_on=DAY, complete=True)
    with transaction():
        old.completed_at = utcnow() - timedelta(days=31)
    todos.delete_todos(viewer("alice"), [create_todo(cast.alice, "Deleted", due_on=DAY).id])
    tasks, events = parsed(feed())
    assert set(tasks) == set(events) == {"Mine", "Assigned", "Last day"}


def test_feed_of_somebody_who_sees_all_has_their_own_todos_only(app, login, cast):
    create_todo(cast.alice, "Alice's", due_on=DAY)
    create_todo(cast.ada, "Ada's", due_on=DAY)
    assert set(parsed(app.test_client().get(path_of(login("ada"))))[0]) == {"Ada's"}


def test_unchanged_calendar_is_not_sent_again(feed, cast):
    todo = create_todo(cast.alice, due_on=DAY)
    first = feed()
    assert first.headers["Cache-Control"] == "private, max-age=300"
    assert "Set-Cookie" not in first.headers
    assert feed(If_None_Match=first.headers["ETag"]).status_code == 304
    assert feed(If_Modified_Since=first.headers["Last-Modified"]).status_code == 304
    with transaction():
        todo.title = "Changed"
    assert feed(If_None_Match=first.headers["ETag"]).status_code == 200


def test_new_address_ends_the_old_one_and_closing_ends_all(app, login, cast):
    client = login("alice")
    old, new = path_of(client), path_of(client)
    assert [app.test_client().get(path).status_code for path in (old, new)] == [404, 200]
    client.send("/profile/calendar/close")
    assert app.test_client().get(new).status_code == 404
    assert "Make an address" in client.get("/profile/calendar").text


def deactivated(cast):
    cast.alice.active = False


def without_role(cast):
    cast.alice.roles = []


@pytest.mark.parametrize("change", [deactivated, without_role])
def test_feed_ends_with_its_user_and_their_rights(feed, cast, change):
    with transaction():
        change(cast)
    assert feed().status_code == 404


def test_guessed_and_tampered_addresses_open_nothing(app, feed, cast):
    row = db.session.get(CalendarFeed, cast.alice.id)
    token = feed_token(row)
    wrong = ["x", token[:-1], token + "x", row.nonce, f"{cast.alice.id}", token.replace(".", ""), "%00"]
    assert {app.test_client().get(f"/calendar/{one}.ics").status_code for one in wrong} == {404}
    assert app.test_client().get(f"/calendar/{token}.ics").status_code == 200


def test_address_of_another_site_or_purpose_opens_nothing(app, make_app, feed, cast):
    other = make_app(SECRET_KEY="another key of more than 32 characters")
    token = feed_token(db.session.get(CalendarFeed, cast.alice.id))
    assert other.test_client().get(f"/calendar/{token}.ics").status_code == 404


def test_address_and_links_keep_the_prefix(make_app, login, cast):
    app = make_app(SCRIPT_NAME=PREFIX)
    create_todo(cast.alice, "Mine", due_on=DAY)
    path = path_of(login("alice", app))
    assert path.startswith(f"{PREFIX}/calendar/")
    tasks, _ = parsed(app.test_client().get(path.removeprefix(PREFIX)))
    assert str(tasks["Mine"]["url"]).startswith(f"http://localhost{PREFIX}/todos/")


@pytest.mark.parametrize("count", [3, 300])
def test_feed_costs_the_same_however_many_there_are(feed, cast, count):
    with transaction() as session:
        session.add_all([Todo(title=f"{n}", owner=cast.alice, due_on=DAY) for n in range(count)])
    feed()
    with count_queries() as statements:
        assert len(parsed(feed())[0]) == count
    assert len(statements) == 2


def test_asking_all_the_time_is_limited(make_app, cast):
    app = make_app()
    calendars.renew(cast.alice)
    path = f"/calendar/{feed_token(calendars.of_user(cast.alice))}.ics"
    address = {"REMOTE_ADDR": f"203.0.113.{cast.alice.id % 250}"}
    statuses = [app.test_client().get(path, environ_base=address).status_code for _ in range(61)]
    assert (statuses[0], statuses[-1]) == (200, 429)
