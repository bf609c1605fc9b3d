"""The trash: who sees what in it, what comes back from it, and what is gone for ever."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.db import utcnow
from app.extensions import db
from app.models import Attachment, AttachmentChunk, Job, Todo
from app.services import attachments, trash_purge
from app.tasks.runner import execute
from app.tasks.schedule import SCHEDULE
from tests.factories import create_attachment, create_job, create_todo


def fresh(row: Any) -> Any:
    """Return a row as it is in the database now."""
    db.session.rollback()
    db.session.refresh(row)
    return row


def count(model: Any) -> int:
    """Return how many rows there are."""
    return db.session.scalar(select(func.count()).select_from(model))


@pytest.mark.parametrize(
    ("name", "path", "seen"),
    [
        ("alice", "/trash", "Of Alice"),
        ("alice", "/trash?scope=all", "Of Alice"),
        ("bob", "/trash", ""),
        ("max", "/trash", ""),
        ("max", "/trash?scope=all", "Of Alice, Of Charlie"),
        ("alice", "/admin/trash/list/", "Of Alice"),
        ("bob", "/admin/trash/list/", ""),
        ("ada", "/admin/trash/list/", "Of Alice, Of Charlie"),
    ],
)
def test_trash_shows_what_the_viewer_may_restore(login, cast, name, path, seen):
    for owner, title in ((cast.alice, "Of Alice"), (cast.charlie, "Of Charlie")):
        create_todo(owner, title, assignees=[cast.bob], deleted_at=utcnow(), deleted_by_id=cast.ada.id)
    create_todo(cast.alice, "Still there")
    page = login(name).get(path).text
    found = [title for title in ("Of Alice", "Of Charlie", "Still there") if title in page]
    assert ", ".join(found) == seen


def test_trash_says_who_deleted_it_when_and_when_it_goes(login, cast):
    todo = create_todo(cast.alice, "Buy <b>milk</b>")
    login("max").send(f"/todos/{todo.id}/delete")
    assert fresh(todo).deleted_by_id == cast.max.id
    todo.deleted_at -= timedelta(days=2)
    db.session.commit()
    page = login("alice").get("/trash").text
    assert "Buy &lt;b&gt;milk&lt;/b&gt;" in page
    assert "2 days ago</time> by Max Manager" in page
    assert "gone for ever in 4 weeks" in page


def test_trash_is_read_page_by_page(login, cast):
    now = utcnow()
    rows = [{"title": f"T{i:03}", "notes": "", "owner_id": cast.alice.id, "deleted_at": now} for i in range(120)]
    db.session.execute(Todo.__table__.insert(), rows)
    db.session.commit()
    client, path, seen = login("alice"), "/trash", []
    while path:
        page = client.get(path).text
        seen += [title for title in (f"T{i:03}" for i in range(120)) if f"“{title}”" in page]
        following = page.partition(">Next page<")[0].rpartition('href="')[2].partition('"')[0]
        path = following.replace("&amp;", "&") if "Next page" in page else ""
    assert sorted(seen) == [f"T{i:03}" for i in range(120)]
    assert client.get("/trash?after=nonsense").status_code == 400


def test_search_in_the_trash_takes_words_literally(login, cast):
    for title in ("100% wool", "100 wool"):
        create_todo(cast.alice, title, deleted_at=utcnow())
    page = login("alice").get("/trash?q=100%25").text
    assert "100% wool" in page
    assert "100 wool" not in page


@pytest.mark.parametrize("door", ["/trash", "/admin/trash/action_post"])
def test_restored_todo_has_its_people_and_files_again(login, cast, door):
    todo = create_todo(cast.alice, assignees=[cast.bob], complete=True)
    file = create_attachment(todo)
    client = login("alice")
    client.send(f"/todos/{todo.id}/delete")
    assert login("bob").get(f"/files/{file.id}").status_code == 404
    client.send(door, {"action": "restore", "id": todo.id, "rowid": todo.id})
    fresh(todo)
    assert (todo.deleted_at, todo.deleted_by_id, todo.complete) == (None, None, True)
    assert [user.username for user in todo.assignees] == ["bob"]
    assert login("bob").get(f"/files/{file.id}").status_code == 200


@pytest.mark.parametrize("path", ["/trash/forever", "/admin/trash/forever"])
def test_deleting_for_ever_asks_first_and_takes_the_bytes_along(login, cast, path):
    todo, kept = (create_todo(cast.alice, title, deleted_at=utcnow()) for title in ("Old", "Kept"))
    create_attachment(todo, b"x" * 300_000, "big.bin", "text/plain")
    create_attachment(kept)
    client = login("alice")
    asked = client.get(f"{path}?id={todo.id}")
    assert "Old" in asked.text
    assert "Kept" not in asked.text
    assert count(Todo) == 2
    answer = client.send(f"{path}?id={todo.id}")
    assert answer.status_code == 302
    assert [row.title for row in db.session.scalars(select(Todo))] == ["Kept"]
    assert (count(Attachment), count(AttachmentChunk)) == (1, 1)
    assert client.send(f"{path}?id={todo.id}").status_code == 404


@pytest.mark.parametrize("path", ["/trash/forever", "/admin/trash/forever"])
def test_only_what_is_in_the_trash_can_be_deleted_for_ever(login, cast, path):
    alive, theirs = create_todo(cast.alice), create_todo(cast.charlie, deleted_at=utcnow())
    mine = create_todo(cast.alice, deleted_at=utcnow())
    for ids in ([alive.id], [theirs.id], [mine.id, theirs.id], [mine.id, alive.id], ["x"], []):
        query = {"id": ids}
        assert login("alice").send(path, query_string=query).status_code in (400, 404)
        assert login("alice").get(path, query_string=query).status_code in (400, 404)
    assert count(Todo) == 3


def test_choosing_in_the_trash_leads_to_the_question(login, cast):
    ids = [create_todo(cast.alice, deleted_at=utcnow()).id for _ in range(2)]
    answer = login("alice").send("/trash", {"action": "forever", "id": ids})
    assert answer.location == f"/trash/forever?id={ids[0]}&id={ids[1]}"
    answer = login("alice").send("/trash", {"action": "forever", "all": "1"})
    assert answer.location == "/trash/empty"
    assert count(Todo) == 2


def emptied(client: Any, later: Callable[[], Any] = lambda: None) -> Any:
    """Ask for an empty trash and answer the question; something may happen in between."""
    page = client.get("/trash/empty").text
    later()
    return client.send("/trash/empty", {"until": page.partition('name="until" value="')[2].partition('"')[0]})


@pytest.mark.parametrize("at_once", [2, 1])
def test_emptying_the_trash_asks_and_takes_all_of_ones_own_that_was_there(login, cast, monkeypatch, at_once):
    monkeypatch.setattr(trash_purge, "PURGE_SIZE", at_once)
    monkeypatch.setattr("app.tasks.trash.IDS_AT_ONCE", 1)
    mine = [create_todo(cast.alice, f"Old {n}", deleted_at=utcnow()) for n in (1, 2)]
    kept, late = create_todo(cast.alice, "Kept"), create_todo(cast.alice, "Deleted by Max meanwhile")
    create_todo(cast.charlie, "Of Charlie", deleted_at=utcnow(), assignees=[cast.alice])
    for todo in (*mine, kept):
        create_attachment(todo)
    client = login("alice")
    assert 'href="/trash/empty"' in client.get("/trash").text
    asked = client.get("/trash/empty").text
    assert [title in asked for title in ("2 todos", "Old 1", "Old 2", "Kept", "Of Charlie")] == [True] * 3 + [False] * 2
    assert count(Todo) == 5
    answer = emptied(client, later=lambda: login("max").send(f"/todos/{late.id}/delete"))
    if at_once == 1:
        execute(int(answer.location.rpartition("/")[2]))
        assert db.session.scalar(select(Job.result)) == {"deleted": 2}
    assert set(db.session.scalars(select(Todo.title))) == {"Kept", "Deleted by Max meanwhile", "Of Charlie"}
    assert (count(Attachment), count(AttachmentChunk)) == (1, 1)


def test_manager_empties_their_own_trash_only(login, cast):
    create_todo(cast.alice, deleted_at=utcnow())
    client = login("max")
    assert "trash/empty" not in client.get("/trash?scope=all").text
    assert "There is nothing in your trash." in client.get("/trash/empty", follow_redirects=True).text
    assert client.send("/trash/empty", {"until": utcnow().isoformat()}).status_code == 302
    assert count(Todo) == 1


@pytest.mark.parametrize(("name", "left"), [("alice", {"Of Charlie"}), ("max", set())])
@pytest.mark.parametrize("at_once", [2, 0])
def test_generated_trash_is_emptied_of_all_that_one_may_delete(login, cast, monkeypatch, name, left, at_once):
    monkeypatch.setattr(trash_purge, "PURGE_SIZE", at_once or 1)
    create_todo(cast.alice, "Of Alice", deleted_at=utcnow())
    create_todo(cast.alice, "Also of Alice", deleted_at=utcnow())
    create_todo(cast.charlie, "Of Charlie", deleted_at=utcnow(), assignees=[cast.alice])
    client = login(name)
    assert 'href="/trash/empty?scope=all"' in client.get("/admin/trash/list/").text
    assert ("Of Charlie" in client.get("/trash/empty?scope=all").text) != bool(left)
    answer = client.send("/trash/empty?scope=all", {"until": utcnow().isoformat()})
    if "/jobs/" in answer.location:
        execute(int(answer.location.rpartition("/")[2]))
    assert set(db.session.scalars(select(Todo.title))) == left


@pytest.mark.parametrize("until", ["", "yesterday", "9999-12-31T23:59:59-23:00", None])
def test_form_that_does_not_say_when_it_was_drawn_deletes_nothing(login, cast, until):
    create_todo(cast.alice, deleted_at=utcnow())
    assert login("alice").send("/trash/empty", {"until": until} if until is not None else {}).status_code == 400
    assert count(Todo) == 1


def test_clock_purges_what_was_deleted_long_ago_and_nothing_else(app, cast, monkeypatch):
    monkeypatch.setattr(trash_purge, "PURGE_SIZE", 2)
    monkeypatch.setattr(attachments, "SWEEP_CHUNKS", 2)
    now, days = utcnow(), app.config["TRASH_DAYS"]
    old = [create_todo(cast.alice, f"Old {i}", deleted_at=now - timedelta(days=days, hours=1)) for i in range(5)]
    late = create_todo(cast.alice, "Late", deleted_at=now - timedelta(days=days, hours=-1), assignees=[cast.bob])
    alive = create_todo(cast.alice, "Alive")
    for todo in (*old, late, alive):
        create_attachment(todo)
    create_attachment(None, uploaded_by_id=cast.alice.id, name="waiting.png")
    create_attachment(None, job_id=create_job(cast.alice, "succeeded").id, name="result.csv")
    purge = SCHEDULE["trash.purge"][1]
    assert [purge(), purge()] == [5, 0]
    assert set(db.session.scalars(select(Todo.title))) == {"Late", "Alive"}
    assert (count(Attachment), count(AttachmentChunk)) == (4, 4)


def test_file_of_a_purged_todo_whose_sweep_was_interrupted_goes_with_the_next(app, cast, viewer, monkeypatch):
    todo = create_todo(cast.alice, deleted_at=utcnow())
    file_id = create_attachment(todo, uploaded_by_id=cast.alice.id).id
    with monkeypatch.context() as patch:
        patch.setattr(attachments, "sweep_lost", lambda: None)
        trash_purge.purge(viewer("alice"), [todo.id])
    assert (count(Todo), count(Attachment)) == (0, 1)
    assert db.session.scalar(select(Attachment.id).where(attachments.unsaved(cast.alice))) is None
    assert file_id
    SCHEDULE["attachments.sweep_unsaved"][1]()
    assert (count(Attachment), count(AttachmentChunk)) == (0, 0)


@pytest.mark.parametrize("name", ["alice", "bob", "max", "ada"])
def test_every_door_hides_the_trash(app, login, cast, name):
    todo = create_todo(cast.alice, "Shredded secret", notes="Shredded notes", assignees=[cast.bob, cast.ada])
    file = create_attachment(todo, name="shredded.png")
    values = {"todo_id": todo.id, "pk": todo.id, "file_id": file.id, "user_id": cast.alice.id, "locale": "en"}
    values |= {"job_id": create_job(cast.alice, "succeeded").id, "filename": "favicon.svg", "version": "v1"}
    adapter, client, alive, leaks = app.url_map.bind("localhost"), login(name), set(), set()
    for deleted_at, found in ((None, alive), (utcnow(), leaks)):
        todo.deleted_at = deleted_at
        db.session.commit()
        for rule in app.url_map.iter_rules():
            if (
                "GET" not in rule.methods
                or rule.endpoint.startswith(("Trash", "Audit"))
                or rule.arguments - set(values)
            ):
                continue
            path = adapter.build(rule.endpoint, {argument: values[argument] for argument in rule.arguments})
            answer = client.get(path if "/api/" in path else f"{path}?q=shredded&scope=all", buffered=True)
            is_its_page = {"todo_id", "file_id"} & rule.arguments or rule.endpoint == "TodoAdmin.show"
            if (
                b"hredded " in answer.data
                or b"shredded.png" in answer.data
                or (is_its_page and answer.status_code == 200)
            ):
                found.add(rule.endpoint)
    assert not leaks
    assert alive >= {"TodoPages.index", "TodoPages.show", "AttachmentPages.index", "TodoAdmin.list", "TodoApi.get_list"}
