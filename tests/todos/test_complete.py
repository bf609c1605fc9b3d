"""Completing and reopening, one by one and many at once."""

from typing import Any

import pytest

from app.extensions import db
from tests.factories import create_todo


def fresh(row: Any) -> Any:
    """Return a row as it is in the database now."""
    db.session.rollback()
    db.session.refresh(row)
    return row


def test_tick_completes_and_reopens(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    client.send(f"/todos/{todo.id}/complete", {"complete": 1})
    assert fresh(todo).complete
    assert todo.completed_at is not None
    assert todo.version == 2
    client.send(f"/todos/{todo.id}/complete", {"complete": 0})
    assert (fresh(todo).complete, todo.completed_at, todo.version) == (False, None, 3)


def test_saying_it_twice_changes_nothing_the_second_time(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    client.send(f"/todos/{todo.id}/complete", {"complete": 1})
    instant = fresh(todo).completed_at
    assert client.send(f"/todos/{todo.id}/complete", {"complete": 1}).status_code == 302
    assert (fresh(todo).completed_at, todo.version) == (instant, 2)


def test_script_gets_the_new_state_as_json(login, cast):
    todo = create_todo(cast.alice)
    answer = login("alice").send(f"/todos/{todo.id}/complete", {"complete": 1}, headers={"Accept": "application/json"})
    facts = {"complete": True, "version": 2, "title": "Water the plants"}
    assert answer.json == facts | {"message": "Completed “Water the plants”."}


def test_script_of_a_stranger_gets_a_problem_as_json(login, cast):
    todo = create_todo(cast.alice)
    headers = {"Accept": "application/json"}
    answer = login("charlie").send(f"/todos/{todo.id}/complete", {"complete": 1}, headers=headers)
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert not fresh(todo).complete


@pytest.mark.parametrize(("action", "done"), [("complete", True), ("reopen", False)])
def test_chosen_todos_change_together(login, cast, action, done):
    found = [create_todo(cast.alice, complete=not done) for _ in range(3)]
    client = login("alice")
    answer = client.send("/todos/chosen", {"action": action, "id": [todo.id for todo in found]})
    assert answer.status_code == 302
    assert [fresh(todo).complete for todo in found] == [done] * 3
    assert f"3 todos {'completed' if done else 'reopened'}" in client.get("/todos").text


@pytest.mark.parametrize("action", ["complete", "reopen", "delete"])
def test_one_strange_id_among_ones_own_changes_nothing(login, cast, action):
    mine, theirs = create_todo(cast.alice), create_todo(cast.bob)
    before = (mine.version, theirs.version)
    for ids in ([mine.id, theirs.id], [theirs.id], [mine.id, theirs.id + 1000]):
        assert login("alice").send("/todos/chosen", {"action": action, "id": ids}).status_code == 404
    assert (fresh(mine).version, fresh(theirs).version) == before


def test_seen_but_not_changeable_among_the_chosen_stays(login, cast):
    mine = create_todo(cast.vera)
    theirs = create_todo(cast.alice)
    login("vera").send("/todos/chosen", {"action": "complete", "id": [mine.id, theirs.id]})
    assert not fresh(mine).complete
    assert not fresh(theirs).complete


@pytest.mark.parametrize("path", ["/todos/chosen", "/trash"])
def test_damaged_choice_is_refused(login, cast, path):
    client, found = login("alice"), {}
    for ids in (["x"], ["-1"], ["1.0"], [2**31], ["9" * 30], ["9" * 5000], ["²"], ["1\x00"], list(range(1, 1002))):
        found[str(ids)[:20]] = client.send(path, {"action": "complete", "id": ids}).status_code
    assert found == dict.fromkeys(found, 400)


@pytest.mark.parametrize("path", ["/todos", "/trash"])
def test_choosing_nothing_leads_back_with_a_hint(login, cast, path):
    client = login("alice")
    data = {"action": "complete", "next": f"{path}?q=a"}
    answer = client.send("/todos/chosen" if path == "/todos" else path, data)
    assert (answer.status_code, answer.location) == (302, f"{path}?q=a")
    assert "Choose at least one todo first." in client.get(path).text


def test_unknown_action_is_refused(login, cast):
    todo = create_todo(cast.alice)
    for action in ("", "destroy", "can_list", "export_todos", "__class__"):
        assert login("alice").send("/todos/chosen", {"action": action, "id": todo.id}).status_code == 404
    assert fresh(todo).version == 1


def test_unknown_word_for_complete_reopens_nothing_of_somebody_else(login, cast):
    todo = create_todo(cast.alice, complete=True)
    assert login("charlie").send(f"/todos/{todo.id}/complete", {"complete": "maybe"}).status_code == 404
    assert fresh(todo).complete
