"""Changes of all that match, as jobs in parts: under the starter's rights, each todo once, undone as one step."""

import json
import re
from datetime import date

import pytest
from sqlalchemy import func, insert, select

from app.db import transaction, utcnow
from app.extensions import db
from app.models import AuditEntry, Job, Notification, Tag, Todo, UndoStep
from app.tasks import todos as jobs_of_todos
from app.tasks.runner import execute
from app.views import trash as undo_view
from tests.factories import create_tag, create_todo
from tests.jobs.test_engine import reread


@pytest.fixture
def small(monkeypatch):
    """Parts of two todos."""
    monkeypatch.setattr(jobs_of_todos, "PART", 2)


def ask(client, action, form=None, query="all=1&show=any") -> Job:
    """Confirm a change of all that match and return its job, planned but not worked on."""
    answer = client.send(f"/selection/{action}?{query}", form or {})
    assert answer.status_code == 302, answer.text
    job = db.session.get(Job, int(answer.location.rpartition("/")[2]))
    execute(job.id)
    return job


def parts(job) -> list[int]:
    db.session.rollback()
    return list(db.session.scalars(select(Job.id).where(Job.parent_id == job.id).order_by(Job.part)))


def work(job) -> Job:
    """Work on the parts of a job, some of them twice, and end it."""
    for part in [*parts(job), *parts(job)[:1]]:
        execute(part)
    execute(job.id)
    return reread(job)


def fresh(todo) -> Todo:
    db.session.rollback()
    db.session.refresh(todo)
    return todo


def state(todo) -> tuple:
    fresh(todo)
    people, tags = [user.username for user in todo.assignees], [tag.name for tag in todo.tags]
    return (todo.complete, todo.priority, todo.due_on, todo.deleted_at is None, people, tags)


CHANGES = {
    # action -> form, what a todo is afterwards
    "complete": ({}, (True, 2, None, True, [], ["old"])),
    "reopen": ({}, (False, 2, None, True, [], ["old"])),
    "assign": ({"people": "bob, charlie"}, (False, 2, None, True, ["bob", "charlie"], ["old"])),
    "tag": ({"add": "new, other", "remove": "old"}, (False, 2, None, True, [], ["new", "other"])),
    "priority": ({"priority": 0}, (False, 0, None, True, [], ["old"])),
    "due": ({"due_on": "2031-02-03"}, (False, 2, date(2031, 2, 3), True, [], ["old"])),
    "delete": ({}, (False, 2, None, False, [], ["old"])),
    "restore": ({}, (False, 2, None, True, [], ["old"])),
}


@pytest.mark.parametrize("action", CHANGES)
def test_change_is_done_to_all_that_match_once_told_and_undone_as_one(login, cast, small, monkeypatch, action):
    form, wanted = CHANGES[action]
    facts = {"complete": True, "completed_at": utcnow()} if action == "reopen" else {}
    facts |= {"deleted_at": utcnow()} if action == "restore" else {}
    mine = [create_todo(cast.alice, f"Paint {number}", **facts) for number in range(5)]
    other = create_todo(cast.alice, "Sweep", **facts)
    create_tag("old", *mine, other)
    versions, before = [todo.version for todo in mine], [state(todo) for todo in (*mine, other)]
    client = login("alice")
    job = work(ask(client, action, form, "all=1&q=paint"))
    assert (job.status, job.parts_total, job.progress_done) == ("succeeded", 3, 5), job.error
    assert job.result == {"changed": 5, "stale": 0, "same": 0, "forbidden": 0}
    assert [state(todo) for todo in mine] == [wanted] * 5
    assert [todo.version for todo in mine] == [version + 1 for version in versions]
    assert state(other) == before[-1]
    page = client.get(f"/jobs/{job.id}").text
    assert f"5 todos {jobs_of_todos.CHANGES[action].done}." in page
    assert "“paint”" in page
    entries = (
        select(func.count()).select_from(AuditEntry).where(AuditEntry.job_id == job.id, AuditEntry.entity == "todo")
    )
    assert db.session.scalar(entries) == 5
    monkeypatch.setattr(undo_view, "AT_ONCE", 3)  # so that a job undoes it
    answer = client.send(re.search(r'action="(/undo/\d+)"', page)[1])
    undone = db.session.get(Job, int(answer.location.rpartition("/")[2]))
    execute(undone.id)
    assert work(undone).result == {"changed": 5, "stale": 0}
    assert [state(todo) for todo in (*mine, other)] == before
    assert "5 todos made what they were." in client.get(f"/jobs/{undone.id}").text
    assert "/undo/" not in client.get(f"/jobs/{job.id}").text


def test_what_is_not_ones_own_stale_or_so_already_is_counted_and_left_alone(login, cast, small):
    mine = [create_todo(cast.alice, f"T{number}") for number in range(4)]
    shared = create_todo(cast.bob, "Bob's", assignees=[cast.alice])
    done = create_todo(cast.alice, "Done", complete=True)
    create_todo(cast.charlie, "Never seen")
    job = ask(login("alice"), "complete")
    with transaction():
        db.session.get(Todo, mine[0].id).title = "Changed meanwhile"
        db.session.get(Todo, shared.id).assignees = []
    job = work(job)
    assert job.result == {"changed": 3, "stale": 1, "same": 1, "forbidden": 1}
    assert [fresh(todo).complete for todo in (*mine, shared, done)] == [False, True, True, True, False, True]
    page = login("alice").get(f"/jobs/{job.id}").text
    for said in ("3 todos completed.", "somebody changed them meanwhile", "nothing to change", "not yours to change"):
        assert said in page


def test_starter_who_lost_the_right_meanwhile_changes_nothing(login, cast, small):
    todo = create_todo(cast.alice)
    job = ask(login("alice"), "complete")
    with transaction():
        cast.alice.roles = []
    job = work(job)
    assert job.status == "failed"
    assert "No longer permitted" in job.error
    assert not fresh(todo).complete


def test_cancelled_change_says_what_it_did_and_can_be_undone(login, cast, small):
    todos = [create_todo(cast.alice, f"T{number}") for number in range(6)]
    client = login("alice")
    job = ask(client, "complete")
    execute(parts(job)[1])
    client.send(f"/jobs/{job.id}/cancel")
    job = work(job)
    assert job.status == "cancelled"
    page = client.get(f"/jobs/{job.id}").text
    assert "2 todos completed." in page
    assert [fresh(todo).complete for todo in todos] == [False, False, True, True, False, False]
    client.send(re.search(r'action="(/undo/\d+)"', page)[1])
    assert not any(fresh(todo).complete for todo in todos)


def test_undo_of_a_job_leaves_alone_what_was_changed_since(login, cast, small, monkeypatch):
    todos = [create_todo(cast.alice, f"T{number}") for number in range(3)]
    client = login("alice")
    job = work(ask(client, "priority", {"priority": 0}))
    with transaction():
        fresh(todos[1]).title = "Changed since"
    monkeypatch.setattr(undo_view, "AT_ONCE", 1)
    step_id = db.session.scalar(select(UndoStep.id).where(UndoStep.job_id == job.id))
    first, second = (client.send(f"/undo/{step_id}").location for _ in range(2))
    assert first == second  # one job, however often one clicks
    undone = db.session.get(Job, int(first.rpartition("/")[2]))
    execute(undone.id)
    assert work(undone).result == {"changed": 2, "stale": 1}
    assert [fresh(todo).priority for todo in todos] == [2, 0, 2]
    assert login("bob").send(f"/undo/{step_id}").status_code == 404


def test_each_person_is_told_once_of_many_assignments(login, cast, small):
    for number in range(5):
        create_todo(cast.alice, f"T{number}")
    work(ask(login("alice"), "assign", {"people": "bob, alice"}))
    told = list(db.session.scalars(select(Notification).where(Notification.kind == "assigned")))
    assert [note.user_id for note in told] == [cast.bob.id]
    assert "</a> and others to you" in login("bob").get("/notifications").text


def test_nobody_gets_more_tags_than_fit(login, cast):
    full, free = create_todo(cast.alice, "Full"), create_todo(cast.alice, "Free")
    for number in range(20):
        create_tag(f"t{number}", full)
    job = work(ask(login("alice"), "tag", {"add": "new"}))
    assert job.result == {"changed": 1, "stale": 0, "same": 1, "forbidden": 0}
    assert (len(fresh(full).tags), [tag.name for tag in fresh(free).tags]) == (20, ["new"])


def test_new_tags_need_the_right_to_make_them(login, cast):
    create_todo(cast.alice)
    client = login("vera")
    assert client.send("/selection/tag?all=1&scope=all", {"add": "new"}).status_code == 403
    assert db.session.scalar(select(Tag.id)) is None


UNUSABLE = (
    *(("tag", {}), ("tag", {"add": "a", "remove": "A"}), ("tag", {"add": ",".join(f"t{n}" for n in range(21))})),
    *(("priority", {"priority": 9}), ("due", {"due_on": "soon"}), ("assign", {"people": "nobody-like-that"})),
)


@pytest.mark.parametrize(("action", "form"), UNUSABLE)
def test_unusable_values_are_refused_and_stay_in_the_form(login, cast, action, form):
    todo = create_todo(cast.alice)
    answer = login("alice").send(f"/selection/{action}?all=1", form)
    assert answer.status_code == 400
    assert '"alert"' in answer.text
    assert "<h1>" in answer.text
    assert (fresh(todo).version, db.session.query(Job).count()) == (1, 0)


@pytest.mark.parametrize("action", [*CHANGES, "export"])
def test_only_those_with_the_right_are_asked(login, cast, action):
    create_todo(cast.alice, deleted_at=utcnow() if action == "restore" else None)
    found = {name: login(name).get(f"/selection/{action}?all=1&scope=all").status_code for name in ("alice", "max")}
    assert found == {"alice": 200, "max": 200}
    assert login("vera").get(f"/selection/{action}?all=1&scope=all").status_code == (200 if action == "export" else 403)
    assert login("charlie").get(f"/selection/{action}?all=1&scope=all").status_code == 400  # there is nothing for them
    assert login("ada").get("/selection/destroy?all=1").status_code == 404


def test_page_says_how_many_are_not_ones_own_to_delete(login, cast):
    create_todo(cast.alice)
    for _ in range(2):
        create_todo(cast.bob, assignees=[cast.alice])
    page = login("alice").get("/selection/delete?all=1").text
    assert "<h1>Delete 3 todos?</h1>" in page
    assert "2 of them are not yours to delete and stay as they are." in page


def test_list_offers_all_pages_only_where_there_are_more(login, cast):
    create_todo(cast.alice)
    client = login("alice")
    assert 'name="all"' not in client.get("/todos").text + client.get("/admin/todos/list/").text
    rows = [{"title": f"T{number}", "owner_id": cast.alice.id, "notes": ""} for number in range(60)]
    db.session.execute(insert(Todo), rows)
    db.session.commit()
    assert 'name="all"' in client.get("/todos").text
    answer = client.send("/todos/chosen?q=t1&tag=home", {"action": "complete", "all": 1, "id": 1})
    assert answer.location == "/selection/complete?all=1&tag=home&q=t1"
    assert "All 61 rows" in client.get("/admin/todos/list/").text


def test_generated_list_leads_to_all_that_its_filters_show(login, cast):
    for number in range(30):
        create_todo(cast.alice, f"Buy {number}", priority=number % 2)
    client = login("max")
    address = "?_flt_0_priority=0&show=open&q=buy"
    page = client.get(f"/admin/todos/list/{address}&psize_TodoAdmin=10").text
    assert "All 15 rows" in page
    target = re.search(r'action="(/admin/todos/action_post[^"]*)"', page)[1].replace("&amp;", "&")
    answer = client.send(target, {"action": "delete_chosen", "all": 1})
    page = client.get(answer.location).text
    assert "<h1>Delete 15 todos?</h1>" in page
    assert "All that match: All todos · Open · “buy” · priority: 0" in page
    job = work(ask(client, "delete", query=answer.location.partition("?")[2]))
    assert job.result["changed"] == 15
    assert f'href="/admin/todos/list/?{"&amp;".join(["q=buy", "show=open", "_flt_0_priority=0"])}"' in (
        client.get(f"/jobs/{job.id}").text
    )


def test_whole_trash_is_restored(login, cast):
    for number in range(60):
        create_todo(cast.alice, f"T{number}", deleted_at=utcnow())
    client = login("alice")
    answer = client.send("/trash?q=t", {"action": "restore", "all": 1})
    assert answer.location == "/selection/restore?all=1&q=t"
    assert work(ask(client, "restore", query="all=1&q=t")).result["changed"] == 60
    assert "Trash" in client.get("/trash").text


def test_selection_survives_the_way_through_the_job(login, cast):
    create_todo(cast.alice, "Paint", priority=0)
    client = login("alice")
    query = "all=1&scope=all&show=open&q=paint&_flt_0_priority=0"
    create_tag("home", db.session.scalar(select(Todo)))
    job = ask(client, "priority", {"priority": 1}, f"{query}&tag=home")
    assert json.loads(json.dumps(job.args))["selection"] == {
        "wanted": {"scope": "all", "show": "open", "query": "paint", "tags": ["home"], "after": ""},
        **{"columns": [["priority", 0, "0"]], "trash": False},
    }
    assert work(job).result["changed"] == 1
