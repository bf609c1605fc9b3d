"""Actions of the generated admin: only on rows that one may see, only with the right, never by visiting."""

import secrets
from typing import Any

import pytest
from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import func, select

from app.db import utcnow
from app.extensions import db
from app.models import Job, Todo
from app.views.jobs_admin import JobAdmin
from app.views.roles_admin import RoleAdmin
from app.views.tags import TagAdmin
from app.views.todos_admin import TodoAdmin
from app.views.trash_admin import TrashAdmin
from app.views.users_admin import UserAdmin
from tests.factories import create_job, create_tag, create_todo, create_user

# view, action -> who of the cast may run it on a todo of Alice's, on Alice, or on a role
MAY = {
    ("TodoAdmin", "complete"): "alice max ada",
    ("TodoAdmin", "reopen"): "alice max ada",
    ("TodoAdmin", "assign"): "alice max ada",
    ("TodoAdmin", "tag"): "alice max ada",
    ("TodoAdmin", "priority"): "alice max ada",
    ("TodoAdmin", "due"): "alice max ada",
    ("TodoAdmin", "export"): "alice vera max ada",
    ("TodoAdmin", "delete_chosen"): "alice max ada",
    ("TrashAdmin", "restore"): "alice max ada",
    ("TrashAdmin", "forever"): "alice max ada",
    ("TagAdmin", "delete_chosen"): "max ada",
    ("TagAdmin", "merge"): "max ada",
    ("JobAdmin", "cancel_chosen"): "alice max ada",
    ("JobAdmin", "again_chosen"): "alice max ada",
    ("UserAdmin", "set_password"): "ada",
    ("UserAdmin", "leave"): "ada",
    ("RoleAdmin", "copy"): "ada",
}
VIEWS = (TodoAdmin, TrashAdmin, TagAdmin, JobAdmin, UserAdmin, RoleAdmin)
BASES = {view.__name__: view.route_base for view in VIEWS}
CAST = ("charlie", "alice", "vera", "max", "ada")
IMPOSSIBLE = ("0", "999999999", "-1", "x", "1.5", "", " 1", "1 ", "²", "1\x00", str(2**31), str(2**63), "9" * 5000)


def target(view: str, cast: Any) -> int:
    """Return the id of a row for the actions of a view."""
    if view == "TodoAdmin":
        return create_todo(cast.alice).id
    if view == "TagAdmin":
        return create_tag(secrets.token_hex(4)).id
    if view == "JobAdmin":
        return create_job(cast.alice, "failed", name="attachments.thumbnail").id
    if view == "TrashAdmin":
        return create_todo(cast.alice, deleted_at=utcnow()).id
    return cast.alice.id if view == "UserAdmin" else db.session.scalar(select(Role.id).where(Role.name == "Viewer"))


def everything() -> list[Any]:
    """Return all rows that an action could change."""
    db.session.rollback()
    return [sorted(map(repr, db.session.execute(select(table)))) for table in db.Model.metadata.sorted_tables]


def run(client: Any, view: str, action: str, ids: Any) -> Any:
    """Run an action from a list."""
    return client.send(f"{BASES[view]}/action_post", {"action": action, "rowid": ids})


def test_every_action_has_a_line_in_the_table(app):
    found = {(type(view).__name__, name) for view in app.appbuilder.baseviews for name in getattr(view, "actions", {})}
    assert found == set(MAY)


def test_no_other_view_takes_actions(app):
    taking = {rule.endpoint.split(".")[0] for rule in app.url_map.iter_rules() if "/action" in rule.rule}
    assert taking == set(BASES)


@pytest.mark.parametrize("door", ["list", "show"])
@pytest.mark.parametrize(("view", "action"), MAY)
def test_only_those_with_the_right_run_it(login, cast, view, action, door):
    done = set()
    for name in CAST:
        pk = target(view, cast)
        before = everything()
        client = login(name)
        path = f"{BASES[view]}/action/{action}/{pk}"
        answer = run(client, view, action, [pk]) if door == "list" else client.send(path)
        if answer.status_code == 302:
            done.add(name)
        else:
            assert answer.status_code in (403, 404)
            assert everything() == before
    assert done == set(MAY[view, action].split())


@pytest.mark.parametrize(("view", "action"), MAY)
def test_it_cannot_be_run_by_visiting(login, cast, view, action):
    pk = target(view, cast)
    before = everything()
    client = login("ada")
    assert client.get(f"{BASES[view]}/action/{action}/{pk}").status_code == 405
    answer = client.get(f"{BASES[view]}/action_post", query_string={"action": action, "rowid": pk})
    assert answer.status_code == 405
    assert everything() == before


@pytest.mark.parametrize("action", [action for view, action in MAY if view == "TodoAdmin"])
def test_one_row_of_somebody_else_among_ones_own_stops_it_all(login, cast, action):
    mine, theirs, deleted = (create_todo(owner) for owner in (cast.alice, cast.bob, cast.alice))
    login("alice").send(f"/todos/{deleted.id}/delete")
    before = everything()
    client = login("alice")
    for strange in (theirs.id, deleted.id, deleted.id + 1000):
        assert run(client, "TodoAdmin", action, [mine.id, strange]).status_code == 404
        assert run(client, "TodoAdmin", action, [strange]).status_code == 404
        assert client.send(f"/admin/todos/action/{action}/{strange}").status_code == 404
    assert everything() == before


@pytest.mark.parametrize(("view", "action"), MAY)
def test_damaged_choices_are_refused(login, cast, view, action):
    pk = target(view, cast)
    before = everything()
    client = login("ada")
    found = {text[:15]: run(client, view, action, [text]).status_code for text in IMPOSSIBLE}
    assert found == {text[:15]: 404 if text in ("0", "999999999") else 400 for text in IMPOSSIBLE}
    assert {run(client, view, action, [pk, text]).status_code for text in IMPOSSIBLE} <= {400, 404}
    assert run(client, view, action, list(range(1, 1002))).status_code == 400
    for text in ("x", "-1", "1.5", str(2**31), str(2**63)):
        assert client.send(f"{BASES[view]}/action/{action}/{text}").status_code in (400, 404)
    assert everything() == before


@pytest.mark.parametrize(("view", "action"), MAY)
def test_choosing_no_row_leads_back_to_the_list_with_a_hint(login, cast, view, action):
    target(view, cast)
    client, before = login("ada"), everything()
    came_from = f"{BASES[view]}/list/?q=a"
    client.get(came_from)
    answer = run(client, view, action, [])
    assert (answer.status_code, answer.location) == (302, came_from)
    assert "Choose at least one row first." in client.get(came_from).text
    assert everything() == before


@pytest.mark.parametrize("view", BASES)
def test_unknown_actions_are_refused(login, cast, view):
    pk = target(view, cast)
    before = everything()
    client = login("ada")
    for name in ("nothing", "can_list", "list", "delete", "__init__", "muldelete", "x" * 5000):
        assert run(client, view, name, [pk]).status_code == 404
        assert client.send(f"{BASES[view]}/action/{name}/{pk}").status_code == 404
    assert run(client, view, "", [pk]).status_code == 404
    assert client.send(f"{BASES[view]}/action_post", {"rowid": pk}).status_code == 404
    assert everything() == before


@pytest.mark.parametrize(("view", "action"), [("UserAdmin", "set_password"), ("RoleAdmin", "copy")])
def test_actions_for_one_row_take_no_second_one(login, cast, view, action):
    ids = {"UserAdmin": select(type(cast.alice).id), "RoleAdmin": select(Role.id)}[view]
    before = everything()
    assert run(login("ada"), view, action, db.session.scalars(ids.limit(2)).all()).status_code == 400
    assert everything() == before


def test_same_row_twice_counts_once(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    run(client, "TodoAdmin", "complete", [todo.id, todo.id, f"0{todo.id}"])
    assert "1 todo completed." in client.get("/admin/todos/list/").text


def test_a_thousand_rows_are_one_update(login, cast):
    session = db.session
    session.execute(Todo.__table__.insert(), [{"title": "T", "owner_id": cast.alice.id, "notes": ""}] * 1000)
    session.commit()
    ids = session.scalars(select(Todo.id)).all()
    assert run(login("alice"), "TodoAdmin", "complete", ids).status_code == 302
    assert session.scalar(select(func.count()).where(Todo.complete, Todo.version == 2)) == 1000


def test_assignee_completes_but_cannot_delete_or_share(login, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    client = login("bob")
    run(client, "TodoAdmin", "complete", [todo.id])
    db.session.refresh(todo)
    assert todo.complete
    run(client, "TodoAdmin", "delete_chosen", [todo.id])
    client.send(f"/selection/assign?id={todo.id}", {"people": "charlie"})
    db.session.refresh(todo)
    assert todo.deleted_at is None
    assert [user.username for user in todo.assignees] == ["bob"]


def test_assign_page_refuses_damaged_choices(login):
    client = login("ada")
    for ids in ("", "?id=x", "?id=-1", "?id=99999999", f"?id={2**31}", "?id=" + "9" * 5000, "?id=1&id=99999999"):
        assert client.get(f"/selection/assign{ids}").status_code in (400, 404)
        assert client.send(f"/selection/assign{ids}", {"people": "alice"}).status_code in (400, 404)


def test_assign_page_takes_ids_from_its_address_only(login, cast):
    mine, theirs = create_todo(cast.alice), create_todo(cast.bob)
    data = {"people": "alice", "id": theirs.id, "rowid": theirs.id}
    login("alice").send(f"/selection/assign?id={mine.id}", data)
    db.session.refresh(theirs)
    assert theirs.assignees == []


def test_action_that_is_hidden_from_a_role_is_not_offered_either(login, cast):
    create_todo(cast.alice)
    page = login("vera").get("/admin/todos/list/").text
    assert "delete_chosen" not in page
    assert "Export …" in page


def test_export_of_chosen_rows_is_a_job_of_the_chooser(login, cast):
    todo = create_todo(cast.alice)
    client = login("alice")
    answer = client.send(run(client, "TodoAdmin", "export", [todo.id]).location, {"kind": "csv"})
    job = db.session.scalar(select(Job))
    assert answer.location == f"/jobs/{job.id}"
    assert (job.owner_id, job.args) == (
        cast.alice.id,
        {"selection": {"ids": [todo.id], "trash": False}, "kind": "csv", "with_files": False},
    )


def test_user_with_actions_on_people_but_no_view_of_todos_runs_none_there(login, cast):
    todo = create_todo(cast.alice)
    client = login("ada")
    nobody = client.application.test_client().sign_in(create_user("nobody", "Public"))
    assert run(nobody, "TodoAdmin", "complete", [todo.id]).status_code == 403
