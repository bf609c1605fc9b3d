"""Two people edit the same row: the second sees both versions and the ancestor, chooses, and loses nothing."""

import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from threading import Barrier
from typing import Any

import pytest
from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import delete, func, select

from app.db import transaction, utcnow
from app.errors import NotFound
from app.extensions import db
from app.models import Attachment, Tag, Todo, todo_tags
from app.services import todos
from app.views import conflicts
from tests.factories import PNG, create_attachment, create_tag, create_todo

DOORS = ("/todos/{0}", "/admin/todos/edit/{0}")


def fresh(row: Any) -> Any:
    """Return a row as it is in the database now."""
    db.session.rollback()
    db.session.refresh(row)
    return row


def opened(client: Any, path: str) -> dict[str, Any]:
    """Open a form and return what a browser would send of it."""
    return fields(client.get(path).text)


def fields(page: str) -> dict[str, Any]:
    """Return what a browser would send of the form with a "shown" field on a page."""
    form = next(form for form in re.findall(r"<form.*?</form>", page, re.DOTALL) if 'name="shown"' in form)
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        kind, name, value = (re.search(rf'\b{key}="([^"]*)"', tag) for key in ("type", "name", "value"))
        if name and kind[1] != "file" and (kind[1] not in ("checkbox", "radio") or re.search(r"\bchecked\b", tag)):
            found[name[1]] = unescape(value[1]) if value else ""
    for name, text in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\r?\n?(.*?)</textarea>', form, re.DOTALL):
        found[name] = unescape(text)
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        found[name] = [unescape(value) for value in re.findall(r'<option selected value="([^"]*)"', options)]
    return {name: value for name, value in found.items() if name not in ("restore",)}


def choices(page: str) -> dict[str, str]:
    """Return the fields that a page offers to choose, with the side that is chosen beforehand."""
    return {name: value for name, value in fields(page).items() if name.startswith("take-")}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    """The address of a todo's form."""
    return request.param


def test_second_sees_theirs_mine_and_the_ancestor_field_by_field(login, cast, door):
    todo = create_todo(cast.alice, "Ancestor", notes="Old notes", assignees=[cast.bob])
    path, alice, bob = door.format(todo.id), login("alice"), login("bob")
    mine, theirs = opened(alice, path), opened(bob, path)
    assert bob.send(path, theirs | {"title": "By Bob", "priority": 0}).status_code == 302
    answer = alice.send(path, mine | {"title": "By Alice", "notes": "Notes of Alice"})
    assert answer.status_code == 409
    assert choices(answer.text) == {"take-title": "mine", "take-notes": "mine", "take-priority": "theirs"}
    for text in (
        "Ancestor",
        "By Bob",
        'value="By Alice"',
        "Notes of Alice",
        "Old notes",
        "Urgent",
        "Before: <span>Normal",
    ):
        assert text in answer.text
    assert (fresh(todo).title, todo.version) == ("By Bob", 2)


def test_saving_the_page_as_it_stands_merges_what_only_one_side_changed(login, cast, door):
    todo = create_todo(cast.alice, "Ancestor", notes="Old notes", assignees=[cast.bob])
    path, alice, bob = door.format(todo.id), login("alice"), login("bob")
    mine, theirs = opened(alice, path), opened(bob, path)
    bob.send(path, theirs | {"priority": 0, "due_on": "2030-01-02"})
    page = alice.send(path, mine | {"notes": "Notes of Alice", "assignees": "charlie", "tag_names": "home"}).text
    assert alice.send(path, fields(page)).status_code == 302
    fresh(todo)
    assert (todo.title, todo.notes, todo.priority, str(todo.due_on)) == ("Ancestor", "Notes of Alice", 0, "2030-01-02")
    assert ([user.username for user in todo.assignees], todo.tag_names) == (["charlie"], ["home"])


@pytest.mark.parametrize(("take", "title"), [("mine", "By Alice"), ("theirs", "By Bob")])
def test_each_field_is_kept_or_taken_as_chosen(login, cast, door, take, title):
    todo = create_todo(cast.alice, "Ancestor", notes="Old", assignees=[cast.bob])
    path, alice, bob = door.format(todo.id), login("alice"), login("bob")
    mine, theirs = opened(alice, path), opened(bob, path)
    bob.send(path, theirs | {"title": "By Bob", "notes": "Bob"})
    page = alice.send(path, mine | {"title": "By Alice", "notes": "Alice"}).text
    alice.send(path, fields(page) | {"take-title": take, "take-notes": "mine"})
    assert (fresh(todo).title, todo.notes) == (title, "Alice")


def test_assignees_are_chosen_as_any_field(login, cast, door):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    path, alice, max_ = door.format(todo.id), login("alice"), login("max")
    mine, theirs = opened(alice, path), opened(max_, path)
    max_.send(path, theirs | {"assignees": "charlie"})
    page = alice.send(path, mine | {"assignees": "bob, vera"}).text
    assert choices(page) == {"take-assignees": "mine"}
    assert alice.send(path, fields(page) | {"take-assignees": "theirs"}).status_code == 302
    assert [user.username for user in fresh(todo).assignees] == ["charlie"]


def test_assignee_whose_owner_shared_the_todo_meanwhile_is_asked_nothing_that_is_not_theirs(login, cast, door):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    path, alice, bob = door.format(todo.id), login("alice"), login("bob")
    mine, theirs = opened(bob, path), opened(alice, path)
    alice.send(path, theirs | {"assignees": "bob, charlie"})
    answer = bob.send(path, mine | {"title": "By Bob"})
    assert (answer.status_code, choices(answer.text)) == (409, {"take-title": "mine"})
    assert bob.send(path, fields(answer.text)).status_code == 302
    assert (fresh(todo).title, len(todo.assignees)) == ("By Bob", 2)


def test_third_save_in_between_is_shown_again_against_what_was_chosen_from(login, cast, door):
    todo = create_todo(cast.alice, "Ancestor", assignees=[cast.bob])
    path, alice, bob = door.format(todo.id), login("alice"), login("bob")
    mine = opened(alice, path)
    bob.send(path, opened(bob, path) | {"title": "By Bob"})
    page = alice.send(path, mine | {"title": "By Alice"}).text
    bob.send(path, opened(bob, path) | {"title": "By Bob again"})
    answer = alice.send(path, fields(page))
    assert answer.status_code == 409
    assert "Before: <span>By Bob</span>" in answer.text
    assert ("By Bob again" in answer.text, 'value="By Alice"' in answer.text) == (True, True)
    assert fresh(todo).title == "By Bob again"


def test_files_of_both_are_kept_and_what_came_and_went_is_said(login, cast, door):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    create_attachment(todo, name="old.png")
    path, alice, bob = door.format(todo.id), login("alice"), login("bob")
    mine, theirs = opened(alice, path), opened(bob, path)
    bob.send(path, theirs | {"attachments-remove": todo.attachments[0].id, "attachments": (io.BytesIO(PNG), "bob.png")})
    answer = alice.send(path, mine | {"title": "By Alice", "attachments": (io.BytesIO(PNG), "alice.png")})
    assert answer.status_code == 409
    assert "Added meanwhile: bob.png. Removed meanwhile: old.png." in answer.text
    assert alice.send(path, fields(answer.text)).status_code == 302
    assert sorted(file.name for file in fresh(todo).attachments) == ["alice.png", "bob.png"]
    assert db.session.scalar(select(func.count()).select_from(Attachment)) == 2


def test_saving_files_only_is_a_new_version_too(login, cast, door):
    todo = create_todo(cast.alice)
    path, alice = door.format(todo.id), login("alice")
    form = opened(alice, path)
    alice.send(path, form | {"attachments": (io.BytesIO(PNG), "a.png")})
    assert fresh(todo).version == 2
    assert alice.send(path, form | {"title": "Late"}).status_code == 409


@pytest.mark.parametrize(
    "shown", ["", "x", "[]", '{"title": 3}', '{"title": ["x"], "evil": ["y"]}', "null", '{"notes": [[]]}']
)
def test_damaged_ancestor_loses_nothing(login, cast, door, shown):
    todo = create_todo(cast.alice, "Theirs")
    path, alice = door.format(todo.id), login("alice")
    answer = alice.send(path, opened(alice, path) | {"title": "Mine", "version": 7, "shown": shown})
    assert answer.status_code == 409
    assert choices(answer.text) == {"take-title": "mine"}
    assert 'value="Mine"' in answer.text


def test_hostile_ancestor_is_escaped(login, cast, door):
    todo = create_todo(cast.alice, "Theirs")
    path, alice = door.format(todo.id), login("alice")
    shown = json.dumps({"title": ["<script>alert(1)</script>"], "attachments": ["1 <script>alert(2)</script>"]})
    answer = alice.send(path, opened(alice, path) | {"title": "Mine", "version": 7, "shown": shown})
    assert "<script>alert" not in answer.text


def test_text_for_a_deleted_todo_is_kept_and_saved_by_restoring(login, cast):
    todo = create_todo(cast.alice)
    path, alice = f"/todos/{todo.id}", login("alice")
    form = opened(alice, path)
    login("max").send(f"{path}/delete")
    answer = alice.send(path, form | {"title": "By Alice", "attachments": (io.BytesIO(PNG), "a.png")})
    assert answer.status_code == 409
    assert "moved to the trash while you were editing" in answer.text
    assert fresh(todo).title == "Water the plants"
    assert alice.send(path, fields(answer.text) | {"restore": 1}).status_code == 302
    fresh(todo)
    assert (todo.title, todo.deleted_at, [file.name for file in todo.attachments]) == ("By Alice", None, ["a.png"])


def test_todo_that_was_changed_and_then_deleted_is_compared_after_it_was_restored(login, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    path, alice, bob = f"/todos/{todo.id}", login("alice"), login("bob")
    form = opened(alice, path)
    bob.send(path, opened(bob, path) | {"title": "By Bob"})
    login("max").send(f"{path}/delete")
    page = alice.send(path, form | {"title": "By Alice"}).text
    answer = alice.send(path, fields(page) | {"restore": 1})
    assert (answer.status_code, choices(answer.text)) == (409, {"take-title": "mine"})
    assert (fresh(todo).title, todo.deleted_at) == ("By Bob", None)


@pytest.mark.parametrize(("deleted", "status"), [(True, 409), (False, 404)])
def test_text_for_a_todo_that_one_cannot_restore_or_see_becomes_a_new_one(login, cast, deleted, status):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    path, bob = f"/todos/{todo.id}", login("bob")
    form = opened(bob, path)
    with transaction():
        todo.deleted_at, todo.assignees = (utcnow(), todo.assignees) if deleted else (None, [])
    answer = bob.send(path, form | {"title": "By Bob", "notes": "Long", "attachments": (io.BytesIO(PNG), "b.png")})
    assert answer.status_code == status
    assert "Restore and save" not in answer.text
    assert bob.send(path, fields(answer.text) | {"restore": 1}).status_code == status
    assert 'formaction="/todos"' in answer.text
    assert bob.send("/todos", fields(answer.text)).status_code == 302
    new = db.session.scalar(select(Todo).where(Todo.title == "By Bob"))
    assert (new.owner_id, new.notes, [file.name for file in new.attachments]) == (cast.bob.id, "Long", ["b.png"])


def test_stranger_learns_nothing_by_saving(login, cast):
    todo = create_todo(cast.alice, "Secret")
    for deleted_at in (None, utcnow()):
        with transaction():
            todo.deleted_at = deleted_at
        known = login("charlie").send(f"/todos/{todo.id}", {"title": "X", "priority": 2, "version": 1})
        unknown = login("charlie").send(f"/todos/{todo.id + 1000}", {"title": "X", "priority": 2, "version": 1})
        assert (known.status_code, unknown.status_code) == (404, 404)
        assert "Secret" not in known.text
        assert "Alice" not in known.text


def test_generated_form_of_a_row_that_is_gone_keeps_the_text(login, cast):
    todo = create_todo(cast.alice)
    path, alice = f"/admin/todos/edit/{todo.id}", login("alice")
    form = opened(alice, path)
    login("max").send(f"/todos/{todo.id}/delete")
    answer = alice.send(path, form | {"title": "Typed for long"})
    assert answer.status_code == 404
    assert 'value="Typed for long"' in answer.text


@pytest.mark.parametrize("path", ["/admin/users/edit/{0}", "/profile"])
def test_people_are_compared_too(login, cast, path):
    path, name = path.format(cast.alice.id), "ada" if "admin" in path else "alice"
    client = login(name)
    mine = opened(client, path)
    with transaction():
        cast.alice.first_name = "Alicia"
    answer = client.send(path, mine | {"first_name": "Alix", "last_name": "Typed"})
    assert answer.status_code == 409
    assert choices(answer.text) == {"take-first_name": "mine", "take-last_name": "mine"}
    assert "Alicia" in answer.text
    assert fresh(cast.alice).last_name == "Member"
    assert client.send(path, fields(answer.text) | {"take-first_name": "theirs"}).status_code == 302
    assert (fresh(cast.alice).first_name, cast.alice.last_name) == ("Alicia", "Typed")


def test_roles_of_a_person_that_changed_meanwhile_are_not_overwritten(login, cast):
    path, ada = f"/admin/users/edit/{cast.bob.id}", login("ada")
    first, second = opened(ada, path), opened(ada, path)
    assert ada.send(path, first | {"roles": ["Viewer"]}).status_code == 302
    answer = ada.send(path, second | {"first_name": "Robert"})
    assert answer.status_code == 409
    assert choices(answer.text) == {"take-first_name": "mine", "take-roles": "theirs"}
    ada.send(path, fields(answer.text))
    assert ([role.name for role in fresh(cast.bob).roles], cast.bob.first_name) == (["Viewer"], "Robert")


@pytest.mark.parametrize("path", ["/admin/users/edit/{0}", "/admin/roles/edit/{1}", "/admin/tags/edit/{2}", "/profile"])
def test_of_forms_that_are_saved_at_once_one_wins(login, cast, path):
    role, tag = Role(name="Gardener"), create_tag("garden", create_todo(cast.alice))
    with transaction() as session:
        session.add(role)
    path = path.format(cast.alice.id, role.id, tag.id)
    field = "first_name" if path == "/profile" or "users" in path else "name"
    name, start = "alice" if path == "/profile" else "ada", Barrier(4)
    browsers = [login(name) for _ in range(4)]
    forms = [opened(browser, path) | {field: f"Name {number}"} for number, browser in enumerate(browsers)]

    def save(number: int) -> int:
        start.wait()
        return browsers[number].send(path, forms[number]).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(save, range(4)))
    assert sorted(statuses) == [302, 409, 409, 409]


def test_row_that_was_deleted_while_its_form_was_on_the_way_is_missed_in_a_sentence(cast):
    tag = create_tag("garden", create_todo(cast.alice))
    with db.engine.begin() as other:
        other.execute(delete(todo_tags))
        other.execute(delete(Tag))
    with pytest.raises(NotFound, match="still here"), conflicts.unchanged(None, tag):
        pytest.fail("there is nothing to be saved")


CHOSEN = {
    # address, form -> what the others became
    "complete": ("/todos/chosen", {"action": "complete"}, "completed"),
    "delete": ("/todos/chosen", {"action": "delete"}, "deleted"),
    "complete in the admin": ("/admin/todos/action_post", {"action": "complete"}, "completed"),
    "delete in the admin": ("/admin/todos/action_post", {"action": "delete_chosen"}, "deleted"),
    "assign in the admin": ("/selection/assign?id={0}&id={1}", {"people": "charlie"}, "assigned"),
}


@pytest.mark.parametrize("action", CHOSEN)
def test_chosen_todos_that_somebody_changed_are_named_and_the_rest_done(login, cast, action):
    path, form, said = CHOSEN[action]
    one, other = (create_todo(cast.alice, title, assignees=[cast.bob]) for title in ("One", "Other"))
    alice = login("alice")
    listing = alice.get("/admin/todos/list/" if "admin" in path else "/todos").text
    seen = re.findall(r'name="(?:id|rowid)" value="(\d+:\d+)"', listing)
    assert len(seen) == 2
    bob = login("bob")
    bob.send(f"/todos/{one.id}", opened(bob, f"/todos/{one.id}") | {"title": "One of Bob"})
    assert alice.send(path.format(*seen), form | {"id": seen, "rowid": seen}).status_code == 302
    page = alice.get("/todos").text
    assert f"1 todo {said}." in page
    assert f"Not {said}, since somebody changed it meanwhile: “One of Bob”." in page
    assert (fresh(one).version, fresh(other).version) == (2, 2)
    assert one.title == "One of Bob"


@pytest.mark.parametrize("version", ["x", "-1", "1.0", "", "9" * 30, "²"])
def test_damaged_version_of_a_chosen_todo_is_refused(login, cast, version):
    todo = create_todo(cast.alice)
    data = {"action": "complete", "id": f"{todo.id}:{version}"}
    assert login("alice").send("/todos/chosen", data).status_code == 400
    assert fresh(todo).version == 1


def test_delete_button_of_a_todo_that_changed_meanwhile_deletes_nothing_and_says_so(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    client.send(f"/todos/{todo.id}/complete", {"complete": 1})
    assert client.send(f"/todos/{todo.id}/delete", {"version": 1}).status_code == 302
    assert "Not deleted, since somebody changed it meanwhile: “Water the plants”." in client.get("/todos").text
    assert fresh(todo).deleted_at is None


def test_stale_tick_is_done_and_says_what_happened_meanwhile(login, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    path, alice, bob = f"/todos/{todo.id}", login("alice"), login("bob")
    bob.send(path, opened(bob, path) | {"title": "By Bob"})
    answer = alice.send(f"{path}/complete", {"complete": 1, "version": 1}, headers={"Accept": "application/json"})
    message = "Completed “By Bob”. Somebody changed it meanwhile: look at it again."
    assert answer.json == {"complete": True, "version": 3, "title": "By Bob", "message": message}
    assert (fresh(todo).complete, todo.version) == (True, 3)


def test_tick_of_what_somebody_else_completed_or_deleted_is_reported(login, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    path, alice, bob = f"/todos/{todo.id}/complete", login("alice"), login("bob")
    bob.send(path, {"complete": 1, "version": 1})
    alice.send(path, {"complete": 1, "version": 1})
    assert "“Water the plants” was completed already." in alice.get("/todos").text
    alice.send(f"/todos/{todo.id}/delete")
    assert bob.send(path, {"complete": 0, "version": 2}).status_code == 404
    assert (fresh(todo).complete, todo.version) == (True, 3)


def test_service_names_the_stale_ones_for_jobs(cast, viewer):
    one, other = create_todo(cast.alice, "One"), create_todo(cast.alice, "Other")
    outcome = todos.set_complete(viewer("alice"), {one.id: 1, other.id: 7}, True)
    assert (outcome.ids, list(outcome.stale.values())) == ([one.id], ["Other"])
