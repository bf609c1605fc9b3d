"""What people are told, and what they see of it."""

import re

import pytest
from sqlalchemy import select

from app.db import transaction
from app.extensions import db
from app.models import Notification
from app.services import notifications, todos
from app.services.permissions import load_user
from app.tasks import runner
from tests.conftest import count_queries
from tests.factories import create_job, create_todo


def told(user):
    """Return what was told to a person: kind and id of the todo."""
    db.session.rollback()
    statement = select(Notification.kind, Notification.todo_id).where(Notification.user_id == user.id)
    return [tuple(row) for row in db.session.execute(statement.order_by(Notification.id))]


def bell(client):
    """Return the number on the bell of a page."""
    page = client.get("/profile").text
    return re.search(r"data-unread>([^<]*)<", page)[1]


def add(user, count=1, kind="assigned", **fields):
    """Tell somebody the same so many times."""
    with transaction():
        for _ in range(count):
            notifications.tell([user.id], kind, **fields)


def test_new_assignees_are_told_and_nobody_else(login, cast):
    client = login("alice")
    client.send("/todos", {"title": "Plants", "assignees": "bob, alice", "priority": "2"})
    todo = todos.chosen(load_user(cast.alice.id), [told(cast.bob)[0][1]])[0]
    assert (told(cast.bob), told(cast.alice)) == ([("assigned", todo.id)], [])
    facts = {"title": "Plants", "assignees": "bob, charlie", "priority": "2", "version": str(todo.version)}
    assert client.send(f"/todos/{todo.id}", facts).status_code == 302
    assert (told(cast.bob), told(cast.charlie)) == ([("assigned", todo.id)], [("assigned", todo.id)])


def test_refused_change_tells_nobody(login, cast):
    todo = create_todo(cast.alice)
    facts = {"title": "Plants", "assignees": "bob", "priority": "2", "version": "99"}
    assert login("alice").send(f"/todos/{todo.id}", facts).status_code == 409
    assert told(cast.bob) == []


def test_assigning_many_costs_the_same_and_tells_each_once(login, cast):
    ids = [create_todo(cast.alice).id for _ in range(30)]
    viewer = load_user(cast.max.id)
    todos.assign(viewer, ids[:1], [cast.bob])
    with count_queries() as few:
        todos.assign(viewer, ids[:2], [cast.bob])
    with count_queries() as many:
        todos.assign(viewer, ids, [cast.bob])
    assert len(few) == len(many)
    assert told(cast.bob) == [("assigned", todo_id) for todo_id in ids]


def test_same_thing_is_told_once(cast):
    todo = create_todo(cast.alice)
    add(cast.bob, 2, "due", key=f"due:{todo.id}:2030-01-01", todo_id=todo.id)
    assert told(cast.bob) == [("due", todo.id)]


@pytest.mark.parametrize(("count", "shown"), [(0, ""), (3, "3"), (99, "99"), (100, "99+"), (120, "99+")])
def test_bell_counts_what_is_unread(login, cast, count, shown):
    add(cast.bob, count)
    client = login("bob")
    assert bell(client) == shown
    assert client.get("/notifications/unread").json == {"unread": min(count, 100)}
    assert bell(login("alice")) == ""


def test_what_was_read_rings_no_more(login, cast):
    add(cast.bob, 3)
    add(cast.alice)
    client = login("bob")
    first = db.session.scalar(select(Notification.id).where(Notification.user_id == cast.bob.id))
    for _ in range(2):
        assert client.send("/notifications/read", {"id": str(first)}).location.endswith("/notifications")
    assert bell(client) == "2"
    client.send("/notifications/read")
    assert (bell(client), bell(login("alice"))) == ("", "1")


@pytest.mark.parametrize("chosen", ["0", "x", "99999999999999999999", "1 OR 1=1"])
def test_damaged_id_marks_nothing(login, cast, chosen):
    add(cast.bob)
    client = login("bob")
    client.send("/notifications/read", {"id": chosen})
    assert bell(client) == "1"


def test_nobody_marks_what_others_were_told(login, cast):
    add(cast.alice)
    theirs = db.session.scalar(select(Notification.id).where(Notification.user_id == cast.alice.id))
    login("bob").send("/notifications/read", {"id": str(theirs)})
    assert bell(login("alice")) == "1"


def test_title_is_shown_only_while_the_todo_may_be_seen(login, cast):
    todo = create_todo(cast.alice, "Secret plants", assignees=[cast.bob])
    add(cast.bob, by=cast.alice, todo_id=todo.id)
    client = login("bob")
    assert "Alice Member assigned" in client.get("/notifications").text
    assert "Secret plants" in client.get("/notifications").text
    todos.assign(load_user(cast.alice.id), [todo.id], [])
    page = client.get("/notifications").text
    assert "Secret plants" not in page
    assert "not shared with you any more" in page
    assert bell(client) == "1"


def test_pages_follow_one_another(login, cast):
    add(cast.bob, 30)
    client = login("bob")
    first = client.get("/notifications").text
    following = re.search(r'href="([^"]*before=\d+)"', first)[1]
    second = client.get(following).text
    assert (first.count('class="notification unread"'), second.count('class="notification unread"')) == (25, 5)


def test_end_of_a_job_is_told_to_its_owner(login, cast):
    job = create_job(cast.alice, args={"selection": {"ids": [create_todo(cast.alice).id]}})
    runner.execute(job.id)
    assert told(cast.alice) == [("job", None)]
    assert re.search(r"Export todos</a>\s*is done", login("alice").get("/notifications").text)


def test_asking_for_the_count_does_not_keep_a_session_alive(login, cast):
    client = login("bob")
    assert "Set-Cookie" not in client.get("/notifications/unread").headers
    assert "Set-Cookie" in client.get("/notifications").headers
