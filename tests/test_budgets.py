"""How many statements each page may cost: the same with 3 and with 300 rows, people and permissions."""

import re
from datetime import date

import pytest
from flask_appbuilder.security.sqla.models import Permission, PermissionView, Role, ViewMenu
from sqlalchemy import insert, select

from app.db import utcnow
from app.extensions import db
from app.models import Attachment, AuditEntry, Comment, Job, Tag, Todo, User, todo_assignees, todo_tags
from tests.conftest import count_queries
from tests.factories import HASH, create_attachment, create_comment, create_job, create_tag, create_todo

# page -> statements, signing in and permissions included
BUDGET = {
    "/todos": 5,
    "/todos?scope=all": 5,
    "/todos?show=done": 5,
    "/todos?q=number": 5,
    "/todos?show=any": 5,
    "/todos?show=overdue&scope=all": 3,
    "/filters": 2,
    "/todos/{todo}": 8,
    "/comments/{comment}": 3,
    "/todos?tag=home": 5,
    "/selection/export?all=1&q=number": 3,
    "/selection/export?id={todo}": 3,
    "/selection/delete?all=1&q=number": 4,
    "/tags/lookup?q=h": 2,
    "/trash": 3,
    "/trash?scope=all": 3,
    "/trash/forever?id={trashed}": 2,
    "/trash/empty": 3,
    "/todos/import": 1,
    "/todos/import/{looked}": 4,
    "/users": 3,
    "/users/{user}": 3,
    "/users/lookup?q=a": 2,
    "/jobs": 3,
    "/jobs?scope=all": 3,
    "/jobs/{job}": 3,
    "/jobs/{job}/state": 2,
    "/notifications": 2,
    "/notifications/unread": 1,
    "/profile": 2,
    "/profile/keys": 2,
    "/profile/calendar": 2,
    "/files/{file}": 3,
    "/files/{file}/show": 4,
    "/admin/todos/list/": 6,
    "/admin/todos/list/?q=number": 6,
    "/admin/todos/list/?_flt_0_title=T&_oc_TodoAdmin=due_on&_od_TodoAdmin=asc": 6,
    "/admin/todos/show/{todo}": 5,
    "/admin/todos/edit/{todo}": 6,
    "/admin/todos/add": 1,
    "/admin/todos/list/?show=upcoming": 6,
    "/admin/tags/list/": 3,
    "/admin/tags/edit/{tag}": 2,
    "/admin/tags/merge?id={tag}&id={other}": 2,
    "/admin/trash/list/": 4,
    "/admin/trash/show/{trashed}": 4,
    "/admin/users/list/": 4,
    "/admin/users/show/{user}": 3,
    "/admin/users/edit/{user}": 4,
    "/admin/users/add": 2,
    "/admin/users/leave/{user}": 4,
    "/admin/roles/list/": 4,
    "/admin/roles/edit/{role}": 5,
    "/admin/permissions/list/": 3,
    "/admin/jobs/overview": 8,
    "/admin/jobs/list/": 3,
    "/admin/audit/list/": 4,
    "/admin/audit/list/?who=command&entity=todo": 4,
    "/admin/audit/show/{entry}": 3,
    "/api/v1/todos/": 5,
    "/api/v1/todos/{todo}": 4,
    "/api/v1/users/": 2,
    "/api/v1/jobs/": 3,
    "/api/v1/jobs/{job}": 3,
    "/api/v1/attachments/{file}": 2,
    "/api/v1/attachments/{file}/content": 3,
}

LOOKED = {"mapping": {"title": "t"}, "format": "CSV", "columns": ["t"], "rows": 0, "first": [], "reasons": []}
LOOKED |= {"new": 0, "there": 0, "error": 0}


def fill(owner: User, count: int) -> None:
    """Add so many people, todos with files and assignees, and jobs."""
    session = db.session
    people = [
        {"username": f"p{i:04}", "first_name": "P", "last_name": str(i), "email": f"p{i}@example.org", "active": True}
        | {"password": HASH}
        for i in range(count)
    ]
    ids = list(session.scalars(insert(User).returning(User.id), people))
    common = {"owner_id": owner.id, "due_on": date(2030, 1, 1)}
    done = [{"complete": False, "completed_at": None}, {"complete": True, "completed_at": utcnow()}]
    rows = [common | done[i % 2] | {"title": f"Todo number {i}"} for i in range(count)]
    rows += [row | {"deleted_at": utcnow(), "deleted_by_id": owner.id} for row in rows]
    todos = list(session.scalars(insert(Todo).returning(Todo.id), rows))
    tags = list(session.scalars(insert(Tag).returning(Tag.id), [_tag(f"t{i}") for i in range(count)]))
    first = session.scalar(select(Tag.id).where(Tag.key == "home")) or tags[0]
    session.execute(insert(todo_tags), [{"todo_id": t, "tag_id": tag} for t in todos for tag in {first, *tags[:2]}])
    session.execute(insert(todo_assignees), [{"todo_id": t, "user_id": u} for t in todos for u in ids[:3]])
    said = [{"todo_id": todo, "author_id": owner.id, "body": "Said"} for todo in todos for _ in range(2)]
    said += [said[0] | {"todo_id": one} for one in session.scalars(select(Todo.id).where(Todo.title == "The one"))] * 20
    session.execute(insert(Comment), said)
    facts = {"name": "a.png", "content_type": "image/png", "size": 1, "sha256": "0" * 64}
    session.execute(insert(Attachment), [facts | {"todo_id": todo} for todo in todos])
    jobs = [{"name": "todos.export", "args": {}, "owner_id": owner.id, "status": "failed"} for _ in range(count)]
    session.execute(insert(Job), jobs)
    session.commit()


def _tag(name: str) -> dict[str, str]:
    return {"name": name, "key": name, "colour": "red"}


def add_permissions(count: int) -> None:
    """Give the Admin role so many more permissions."""
    session = db.session
    role = session.scalar(select(Role).where(Role.name == "Admin"))
    view = ViewMenu(name="Further")
    role.permissions += [PermissionView(permission=Permission(name=f"can_x{i}"), view_menu=view) for i in range(count)]
    session.commit()


@pytest.fixture
def remove_permissions(app):
    yield
    from app.cli import sync

    app.test_cli_runner().invoke(sync)


@pytest.fixture
def places(cast):
    todo = create_todo(cast.ada, "The one", assignees=[cast.bob])
    file = create_attachment(todo)
    comments = {"comment": create_comment(todo, cast.ada, mentions=[cast.bob]).id}
    tags = {"tag": create_tag("home", todo).id, "other": create_tag("garden").id}
    job = create_job(cast.ada, "succeeded")
    looked = create_job(cast.ada, "succeeded", "todos.check_import", args={"file": 1, "sha256": ""}, result=LOOKED)
    role = Role(name="Archivist", permissions=db.session.scalar(select(Role).where(Role.name == "Viewer")).permissions)
    db.session.add(role)
    db.session.commit()
    tags["looked"] = looked.id
    tags["trashed"] = create_todo(cast.ada, "Deleted", deleted_at=utcnow()).id
    tags["entry"] = db.session.scalar(select(AuditEntry.id).filter_by(todo_id=todo.id).limit(1))
    return {"todo": todo.id, "file": file.id, "job": job.id, "user": cast.bob.id, "role": role.id} | tags | comments


def costs(client, places) -> dict[str, int]:
    """Return the statements of each page, its second visit, so that nothing first-time is counted."""
    found = {}
    for path in BUDGET:
        client.get(path.format(**places))
        db.session.remove()
        with count_queries() as statements:
            answer = client.get(path.format(**places))
            answer.get_data()
        assert answer.status_code == 200, path
        found[path] = len(statements)
    return found


def test_pages_cost_what_the_table_says(login, places, cast):
    fill(cast.ada, 3)
    assert costs(login("ada"), places) == BUDGET


def test_pages_cost_the_same_with_300_rows_and_500_permissions(login, places, cast, remove_permissions):
    fill(cast.ada, 300)
    add_permissions(500)
    assert costs(login("ada"), places) == BUDGET


def test_members_pages_cost_no_more(login, cast, places):
    fill(cast.alice, 30)
    client = login("alice")
    for path in ("/todos", "/todos?show=done", "/users", "/jobs"):
        client.get(path)
        with count_queries() as statements:
            client.get(path)
        assert len(statements) <= BUDGET[path], path


def test_permissions_are_read_once_a_request(login, cast):
    create_todo(cast.ada)
    client = login("ada")
    with count_queries() as statements:
        client.get("/admin/todos/list/")
    assert len([one for one in statements if re.search(r"ab_permission_view_role", one)]) == 1
