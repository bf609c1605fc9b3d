"""Who gets which answer at which route, and where rights come from."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from flask_appbuilder.security.sqla.models import (
    Permission,
    PermissionView,
    Role,
    ViewMenu,
    assoc_permissionview_role,
)
from sqlalchemy import delete, event, select

from app.cli import sync as sync_command
from app.db import transaction, utcnow
from app.extensions import db
from app.models import ApiKey, AttachmentChunk, AuditEntry, Job, Todo
from app.models.attachments import PREVIEW, THUMBNAIL
from app.security import FURTHER, PUBLIC_ENDPOINTS, ROLES, declared, grants, role_grants
from app.services import calendars, digests_stop, permissions, undo
from app.tokens import feed_token
from tests.conftest import count_queries
from tests.factories import (
    PNG,
    create_attachment,
    create_comment,
    create_filter,
    create_job,
    create_key,
    create_tag,
    create_todo,
    create_user,
)

# "gone" is an admin who was deactivated after signing in; Alice owns whatever the addresses name
VISITORS = ("anonymous", "gone", "charlie", "alice", "vera", "max", "ada")
LOGIN, JSON = "login login ", "401 401 "
EVERYBODY = LOGIN + "200 200 200 200 200"
SEES = LOGIN + "404 200 200 200 200"
OWN_JOB = LOGIN + "404 200 404 200 200"
CHANGES = LOGIN + "404 302 403 302 302"
ADDS = LOGIN + "302 302 403 302 302"
AWAY = LOGIN + "302 302 302 302 302"
ADMIN = LOGIN + "403 403 403 403 200"
ADMIN_DOES = LOGIN + "403 403 403 403 302"
TRASH = LOGIN + "200 200 403 200 200"
RESTORES = LOGIN + "404 200 403 200 200"
PEOPLE = LOGIN + "403 403 403 200 200"
OWN_COMMENT = LOGIN + "404 302 403 403 403"
OWN_FILTER = LOGIN + "404 302 404 404 404"
MANAGES = LOGIN + "403 403 403 302 302"
OWN_IMPORT = LOGIN + "404 302 403 404 404"
OPEN = "200 200 200 200 200 200 200"
ANSWERS = {
    # the first one: each route gives Alice one more active job
    "SelectionPages.act POST": LOGIN + "404 302 302 302 302",
    "AccountPages.login GET": "200 200 302 302 302 302 302",
    "AccountPages.login POST": "400 400 302 302 302 302 302",
    "AccountPages.logout POST": "login login login login login login login",
    "AccountPages.register GET": OPEN,
    "AccountPages.register POST": "400 400 400 400 400 400 400",
    "ApiKeyPages.add POST": LOGIN + "400 400 400 400 400",
    "ApiKeyPages.index GET": EVERYBODY,
    "ApiKeyPages.revoke POST": LOGIN + "404 302 404 404 404",
    "AttachmentApi.add POST": JSON + "404 415 403 415 415",
    "AttachmentApi.content GET": JSON + "404 200 200 200 200",
    "AttachmentApi.delete DELETE": JSON + "404 204 403 204 204",
    "AttachmentApi.get GET": JSON + "404 200 200 200 200",
    "AttachmentPages.index GET": SEES,
    "AttachmentPages.preview GET": SEES,
    "AttachmentPages.show GET": SEES,
    "AttachmentPages.thumbnail GET": SEES,
    "AuditApi.get_list GET": JSON + "403 403 403 200 200",
    "AuditAdmin.export POST": ADMIN_DOES,
    "AuditAdmin.list GET": PEOPLE,
    "AuditAdmin.show GET": PEOPLE,
    "CalendarPages.close POST": AWAY,
    "CalendarPages.index GET": EVERYBODY,
    "CalendarPages.renew POST": AWAY,
    "CommentApi.add POST": JSON + "404 201 403 201 201",
    "CommentApi.change PATCH": JSON + "404 200 403 403 403",
    "CommentApi.delete DELETE": JSON + "404 204 403 403 403",
    "CommentApi.get_list GET": JSON + "404 200 200 200 200",
    "CommentPages.add POST": LOGIN + "404 302 403 302 302",
    "CommentPages.delete POST": OWN_COMMENT,
    "CommentPages.edit GET": LOGIN + "404 200 403 403 403",
    "CommentPages.edit POST": OWN_COMMENT,
    "CommentPages.restore POST": OWN_COMMENT,
    "FilterPages.add POST": AWAY,
    "FilterPages.delete POST": OWN_FILTER,
    "FilterPages.index GET": EVERYBODY,
    "FilterPages.rename POST": OWN_FILTER,
    "ImportPages.columns POST": OWN_IMPORT,
    "ImportPages.index GET": LOGIN + "200 200 403 200 200",
    "ImportPages.remove POST": OWN_IMPORT,
    "ImportPages.run POST": OWN_IMPORT,
    "ImportPages.show GET": LOGIN + "404 200 403 404 404",
    "ImportPages.upload POST": LOGIN + "400 400 403 400 400",
    "Index.index GET": AWAY,
    "JobAdmin.action POST": LOGIN + "404 302 404 302 302",
    "JobAdmin.action_post POST": LOGIN + "404 302 404 302 302",
    "JobApi.cancel POST": JSON + "404 202 404 202 202",
    "JobApi.get GET": JSON + "404 200 404 200 200",
    "JobApi.get_list GET": JSON + "200 200 200 200 200",
    "JobApi.submit POST": JSON + "202 202 202 202 202",
    "JobAdmin.again_failed POST": AWAY,  # one's own, of those who do not manage jobs
    "JobAdmin.list GET": EVERYBODY,
    "JobAdmin.overview GET": LOGIN + "403 403 403 200 200",
    "JobAdmin.run_now POST": ADMIN_DOES,
    "JobAdmin.show GET": OWN_JOB,
    "JobPages.again POST": LOGIN + "404 409 404 409 409",
    "JobPages.cancel POST": LOGIN + "404 302 404 302 302",
    "JobPages.index GET": EVERYBODY,
    "JobPages.show GET": OWN_JOB,
    "JobPages.state GET": OWN_JOB,
    "LocaleView.index GET": AWAY,
    "NotificationPages.index GET": EVERYBODY,
    "NotificationPages.read POST": AWAY,
    "NotificationPages.unread GET": EVERYBODY,
    "OpenApi.get GET": JSON + "200 200 200 200 200",
    "PermissionAdmin.list GET": ADMIN,
    "PersonApi.get GET": JSON + "200 200 200 200 200",
    "PersonApi.get_list GET": JSON + "200 200 200 200 200",
    "PersonPages.index GET": EVERYBODY,
    "PersonPages.lookup GET": EVERYBODY,
    "PersonPages.show GET": EVERYBODY,
    "ProfilePages.index GET": EVERYBODY,
    "ProfilePages.index POST": LOGIN + "400 400 400 400 400",
    "LeavingAdmin.ask GET": ADMIN,
    "ProfilePages.time_zone POST": EVERYBODY,
    "ProfilePages.password POST": LOGIN + "400 400 400 400 400",
    "RoleAdmin.action POST": ADMIN_DOES,
    "RoleAdmin.action_post POST": ADMIN_DOES,
    "RoleAdmin.add GET": ADMIN,
    "RoleAdmin.add POST": ADMIN_DOES,
    "RoleAdmin.delete POST": ADMIN_DOES,
    "RoleAdmin.edit GET": ADMIN,
    "RoleAdmin.edit POST": ADMIN_DOES,
    "RoleAdmin.list GET": ADMIN,
    "RoleAdmin.show GET": ADMIN,
    "SelectionPages.ask GET": SEES,
    "SessionApi.login POST": "400 400 400 400 400 400 400",
    "SessionApi.refresh POST": "401 401 401 401 401 401 401",
    "SwaggerView.show GET": EVERYBODY,
    "TagAdmin.action POST": MANAGES,
    "TagAdmin.action_post POST": MANAGES,
    "TagAdmin.add GET": PEOPLE,
    "TagAdmin.add POST": MANAGES,
    "TagAdmin.delete POST": MANAGES,
    "TagAdmin.edit GET": PEOPLE,
    "TagAdmin.edit POST": MANAGES,
    "TagAdmin.list GET": PEOPLE,
    "TagAdmin.merge_into GET": PEOPLE,
    "TagAdmin.merge_into POST": MANAGES,
    "TagPages.lookup GET": EVERYBODY,
    "TodoAdmin.action POST": CHANGES,
    "TodoAdmin.action_post POST": CHANGES,
    "TodoAdmin.add GET": LOGIN + "200 200 403 200 200",
    "TodoAdmin.add POST": LOGIN + "403 302 403 302 302",
    "TodoAdmin.delete POST": CHANGES,
    "TodoAdmin.edit GET": LOGIN + "404 200 403 200 200",
    "TodoAdmin.edit POST": CHANGES,
    "TodoAdmin.list GET": EVERYBODY,
    "TodoAdmin.show GET": SEES,
    "TagApi.add POST": JSON + "403 403 403 201 201",
    "TagApi.change PATCH": JSON + "403 403 403 200 200",
    "TagApi.delete DELETE": JSON + "403 403 403 204 204",
    "TagApi.get GET": JSON + "200 200 200 200 200",
    "TagApi.get_list GET": JSON + "200 200 200 200 200",
    "TagApi.merge POST": JSON + "403 403 403 200 200",
    "TodoApi.add POST": JSON + "201 201 403 201 201",
    "TodoApi.bulk POST": JSON + "200 200 403 200 200",
    "TodoApi.change PATCH": JSON + "404 200 403 200 200",
    "TodoApi.complete POST": JSON + "404 200 403 200 200",
    "TodoApi.delete DELETE": JSON + "404 204 403 204 204",
    "TodoApi.get GET": JSON + "404 200 200 200 200",
    "TodoApi.get_list GET": JSON + "200 200 200 200 200",
    "TodoApi.reopen POST": JSON + "404 200 403 200 200",
    "TodoApi.restore POST": JSON + "404 404 403 404 404",
    "TodoPages.add POST": ADDS,
    "TodoPages.chosen POST": CHANGES,
    "TodoPages.complete POST": CHANGES,
    "TodoPages.delete POST": CHANGES,
    "TodoPages.index GET": EVERYBODY,
    "TodoPages.show GET": SEES,
    "TodoPages.show POST": CHANGES,
    "TrashAdmin.action POST": CHANGES,
    "TrashAdmin.action_post POST": CHANGES,
    "TrashAdmin.ask GET": RESTORES,
    "TrashAdmin.ask POST": CHANGES,
    "TrashAdmin.list GET": TRASH,
    "TrashAdmin.show GET": RESTORES,
    "TrashPages.chosen POST": CHANGES,
    "TrashPages.empty GET": LOGIN + "302 200 403 302 302",
    "TrashPages.empty POST": LOGIN + "302 302 403 302 302",
    "TrashPages.forever GET": RESTORES,
    "TrashPages.forever POST": CHANGES,
    "TrashPages.index GET": TRASH,
    "UndoPages.take_back POST": LOGIN + "404 302 404 404 404",
    "UserAdmin.action POST": ADMIN_DOES,
    "UserAdmin.action_post POST": ADMIN_DOES,
    "UserAdmin.add GET": ADMIN,
    "UserAdmin.add POST": LOGIN + "403 403 403 403 400",
    "UserAdmin.ask_password GET": ADMIN,
    "UserAdmin.ask_password POST": LOGIN + "403 403 403 403 400",
    "UserAdmin.edit GET": ADMIN,
    "UserAdmin.edit POST": ADMIN_DOES,
    "UserAdmin.list GET": PEOPLE,
    "UserAdmin.show GET": PEOPLE,
    "UtilView.back GET": AWAY,
    "appbuilder.static GET": OPEN,
    "calendar.feed GET": OPEN,
    "health.alive GET": OPEN,
    "health.ready GET": OPEN,
    "mail.ask GET": OPEN,
    "mail.stop POST": OPEN,
    "metrics.show GET": "404 404 404 404 404 404 404",
    "static GET": OPEN,
    # the last ones: Alice cannot sign in any more, and then nobody is signed in
    "LeavingAdmin.ask POST": ADMIN_DOES,
    "ProfilePages.sessions POST": "login login login login login login login",
}
LOOKED = {"mapping": {"title": "t"}, "format": "CSV", "columns": ["t"], "rows": 0, "first": [], "reasons": []}
LOOKED |= {"new": 0, "there": 0, "error": 0}
DENIED = {"login", "401", "403", "404"}


@pytest.fixture
def make_world(cast):
    """Returns a function that makes a fresh set of what the addresses name, all of it Alice's."""

    def build(**todo: Any) -> SimpleNamespace:
        row = create_todo(cast.alice, **todo)
        file = create_attachment(row, thumbnail_size=len(PNG), preview_size=len(PNG))
        role = Role(name=f"Auditor {row.id}")
        for variant in (THUMBNAIL, PREVIEW):
            db.session.add(AttachmentChunk(attachment_id=file.id, variant=variant, position=0, data=PNG))
        db.session.add(role)
        create_key(cast.alice)
        key = db.session.scalar(select(ApiKey).order_by(ApiKey.id.desc()))
        tags = [create_tag(f"Tag {place} of {row.id}", row) for place in (1, 2)]
        comment = create_comment(row, cast.alice)
        gone = create_comment(row, cast.alice, deleted_at=utcnow())
        trashed, done = create_todo(cast.alice, "Deleted", deleted_at=utcnow()), create_todo(cast.alice, "Done")
        step_id = undo.begin(cast.alice.id, "complete")
        undo.remember(step_id, "complete", Todo.id == done.id)
        done.complete = True
        db.session.execute(delete(Job))  # nobody may have many that wait
        facts: dict[str, Any] = {"sha256": str(row.id), "mapping": None}
        looked = create_job(cast.alice, "succeeded", "todos.check_import", args=facts, result=LOOKED)
        upload = create_attachment(job_id=looked.id, uploaded_by_id=cast.alice.id)
        looked.args = facts | {"file": upload.id}
        rows = {"todo": row, "trashed": trashed, "file": file, "tags": tags, "role": role}
        rows |= {"job": create_job(cast.alice), "comment": comment, "gone_comment": gone}
        rows["filter"] = create_filter(cast.alice, f"Filter {row.id}")
        calendars.renew(cast.alice)
        feed = feed_token(calendars.of_user(cast.alice))
        return SimpleNamespace(**rows, alice=cast.alice, key=key, step_id=step_id, feed=feed, looked=looked)

    def make(**todo: Any) -> SimpleNamespace:
        with transaction():
            world = build(**todo)
        world.entry = db.session.scalar(select(AuditEntry).filter_by(todo_id=world.todo.id).limit(1))
        return world

    return make


def address(app: Any, endpoint: str, world: SimpleNamespace) -> str:
    """Return the address of a route that names Alice's things."""
    view = endpoint.split(".")[0]
    pk = {"TodoAdmin": world.todo, "UserAdmin": world.alice, "RoleAdmin": world.role}
    pk |= {"JobAdmin": world.job, "AuditAdmin": world.entry}
    pk["TagAdmin"] = world.tags[0]
    pk["TrashAdmin"] = world.trashed
    names = {
        "JobAdmin": "cancel_chosen",
        "UserAdmin": "set_password",
        "RoleAdmin": "copy",
        "TagAdmin": "delete_chosen",
        "TrashAdmin": "restore",
    }
    values = {
        "todo_id": world.todo.id,
        "file_id": world.file.id,
        "job_id": (world.looked if view == "ImportPages" else world.job).id,
        "key_id": world.key.id,
        "filter_id": world.filter.id,
        "comment_id": (world.gone_comment if endpoint == "CommentPages.restore" else world.comment).id,
        "user_id": world.alice.id,
        "token": world.feed if view == "calendar" else digests_stop.token_of(world.alice),
        "step_id": world.step_id,
        "tag_id": world.tags[0].id,
        "pk": pk.get(view, world.todo).id,
        "name": "jobs.purge" if endpoint == "JobAdmin.run_now" else names.get(view, "complete"),
        "filename": "css/bootstrap.min.css" if view == "appbuilder" else "favicon.svg",
        "locale": "en",
        "action": "export",
        "version": "v1",
    }
    rule = next(rule for rule in app.url_map.iter_rules() if rule.endpoint == endpoint)
    chosen = {
        "SelectionPages.ask": world.todo,
        "SelectionPages.act": world.todo,
        "TrashAdmin.ask": world.trashed,
        "TrashPages.forever": world.trashed,
    }
    query: dict[str, Any] = {"id": chosen[endpoint].id} if endpoint in chosen else {}
    if endpoint == "TagAdmin.merge_into":
        query = {"id": [tag.id for tag in world.tags]}
    if endpoint in ("AttachmentApi.add", "CommentApi.get_list"):
        query = {"todo_id": world.todo.id}
    return str(app.url_map.bind("localhost").build(endpoint, {name: values[name] for name in rule.arguments} | query))


def body(endpoint: str, world: SimpleNamespace) -> dict[str, Any]:
    """Return a form that the application would accept from somebody with the right, if the table says 302."""
    todo, alice, role = world.todo, world.alice, world.role
    person = {"username": alice.username, "email": alice.email, "first_name": "A", "last_name": "B"}
    edited = {"title": "Changed", "priority": 1, "assignees": "bob", "version": todo.version}
    bodies: dict[str, dict[str, Any]] = {
        "FilterPages.add": {"name": "Added"},
        "FilterPages.rename": {"name": "Renamed"},
        "ProfilePages.time_zone": {"time_zone": "Europe/Berlin"},
        "CommentPages.add": {"body": "Added"},
        "CommentPages.edit": {"body": "Changed", "version": world.comment.version},
        "ProfilePages.index": {"email": "nonsense"},
        "JobAdmin.action_post": {"action": "cancel_chosen", "rowid": world.job.id},
        "RoleAdmin.action_post": {"action": "copy", "rowid": role.id},
        "RoleAdmin.add": {"name": f"Added beside {role.name}"},
        "RoleAdmin.edit": {"name": f"Renamed {role.name}"},
        "SelectionPages.act": {"kind": "csv"},
        "TagAdmin.action_post": {"action": "delete_chosen", "rowid": world.tags[0].id},
        "TagAdmin.add": {"name": f"Beside {world.tags[0].name}", "colour": "red"},
        "TagAdmin.edit": {"name": f"Renamed {world.tags[0].name}", "colour": "red"},
        "TagAdmin.merge_into": {"into": world.tags[0].id},
        "JobApi.submit": {"name": "todos.export", "args": {"ids": [todo.id]}},
        "CommentApi.add": {"todo_id": todo.id, "body": "Added"},
        "CommentApi.change": {"body": "Changed"},
        "TagApi.add": {"name": f"Of a program beside {world.tags[0].name}"},
        "TagApi.change": {"colour": "red"},
        "TagApi.merge": {"tags": [world.tags[1].id]},
        "TodoApi.add": {"title": "Added"},
        "TodoApi.bulk": {"action": "complete", "todos": [{"id": todo.id, "version": todo.version}]},
        "TodoApi.change": {"title": "Changed", "assignees": ["bob"]},
        "TodoAdmin.action_post": {"action": "delete_chosen", "rowid": todo.id},
        "TodoAdmin.add": {"title": "Added", "priority": 1, "owner": "alice"},
        "TodoAdmin.edit": edited | {"owner": "alice"},
        "TodoPages.add": {"title": "Added", "priority": 1},
        "TodoPages.chosen": {"action": "complete", "id": todo.id},
        "TodoPages.complete": {"complete": 1},
        "TodoPages.show": edited,
        "TrashAdmin.action_post": {"action": "restore", "rowid": world.trashed.id},
        "TrashPages.chosen": {"action": "restore", "id": world.trashed.id},
        "TrashPages.empty": {"until": utcnow().isoformat()},
        "UserAdmin.action_post": {"action": "set_password", "rowid": alice.id},
        "LeavingAdmin.ask": {"todos": "release"},
        "UserAdmin.edit": person | {"roles": "Member", "active": "y"},
    }
    return bodies.get(endpoint, {})


def sent(client: Any, route: str, path: str, data: dict[str, Any]) -> Any:
    """Send a form as a page would, or JSON as a script of a page would."""
    if not path.startswith("/api/"):
        return client.send(path, data)
    headers = {"X-CSRFToken": client.token(), "If-Match": "*"}
    return client.open(path, method=route.split()[1], json=data, headers=headers)


def everything() -> list[Any]:
    """Return all rows but the bytes of files."""
    db.session.rollback()
    tables = [table for table in db.Model.metadata.sorted_tables if table.name != "attachment_chunks"]
    return [sorted(repr(tuple(row)) for row in db.session.execute(select(table))) for table in tables]


@contextmanager
def changes() -> Iterator[list[str]]:
    """Collect the statements within the block that changed a row for good."""
    made: list[str] = []
    waiting: list[str] = []

    def note(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if cursor.rowcount and not statement.lstrip().upper().startswith(("SELECT", "WITH", "BEGIN")):
            waiting.append(statement)

    def commit(_connection: Any) -> None:
        made.extend(waiting)
        waiting.clear()

    listeners = {"after_cursor_execute": note, "commit": commit, "rollback": lambda _connection: waiting.clear()}
    for name, listener in listeners.items():
        event.listen(db.engine, name, listener)
    try:
        yield made
    finally:
        for name, listener in listeners.items():
            event.remove(db.engine, name, listener)


def answer_of(response: Any) -> str:
    """Return the status, or "login" for the way to the login page."""
    is_login = response.status_code == 302 and response.location.startswith("/login/")
    return "login" if is_login else str(response.status_code)


def routes(app: Any) -> set[str]:
    """Return every endpoint with each of its methods."""
    return {
        f"{rule.endpoint} {method}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def test_every_route_has_a_line_in_the_table_and_every_line_a_route(app):
    assert set(ANSWERS) == routes(app)


@pytest.fixture
def visit(app, login, cast):
    """Returns a function that opens the browser of a visitor."""
    gone = create_user("gone", "Admin")
    session_id = gone.get_id()
    gone.active = False
    with transaction():
        pass

    def open_browser(name: str) -> Any:
        if name == "anonymous":
            return app.test_client()
        return app.test_client().sign_in(SimpleNamespace(get_id=lambda: session_id)) if name == "gone" else login(name)

    return open_browser


@pytest.mark.parametrize("name", VISITORS)
def test_every_page_answers_as_the_table_says_and_writes_nothing(app, visit, make_world, name):
    world, found, wrote = make_world(), {}, {}
    wanted = {route: line.split()[VISITORS.index(name)] for route, line in ANSWERS.items() if route.endswith(" GET")}
    for route in wanted:
        client, path = visit(name), address(app, route.split()[0], world)
        with count_queries() as statements:
            found[route] = answer_of(client.get(path, buffered=True))
        wrote[route] = [line for line in statements if not line.lstrip().upper().startswith(("SELECT", "WITH"))]
    assert found == wanted
    assert not any(wrote.values())


@pytest.mark.parametrize("name", VISITORS)
def test_every_form_answers_as_the_table_says_and_refusals_change_nothing(app, visit, make_world, name):
    found, wrote, world = {}, set(), None
    wanted = {route: line.split()[VISITORS.index(name)] for route, line in ANSWERS.items() if " GET" not in route}
    for route in wanted:
        endpoint = route.split()[0]
        if world is None:
            world = make_world()
            before = everything()
        path, data, client = address(app, endpoint, world), body(endpoint, world), visit(name)
        with changes() as made:
            found[route] = answer_of(sent(client, route, path, data))
        # a refusal may make a step that could be undone and take it away again, when nothing was left to do
        if made and (wanted[route] not in DENIED or everything() != before):
            wrote.add(route)
            world = None
    assert found == wanted
    assert not {route for route in wrote if wanted[route] in DENIED} - {
        "AccountPages.logout POST",
        "ProfilePages.sessions POST",
    }


def test_forms_of_the_table_do_change_something_for_their_owner(app, visit, make_world):
    pages = ("show", "complete", "delete")
    trash = ("TrashPages.chosen", "TrashPages.empty", "TrashPages.forever", "TrashAdmin.ask", "UndoPages.take_back")
    for endpoint in (*(f"TodoPages.{page}" for page in pages), "TodoAdmin.edit", *trash):
        world = make_world()
        before = everything()
        visit("alice").send(address(app, endpoint, world), body(endpoint, world))
        assert everything() != before, endpoint


def test_only_login_registration_static_files_and_health_are_open_to_strangers(app):
    reached = {route.split()[0] for route, line in ANSWERS.items() if line.split()[0] not in ("login", "401")}
    logout = {"AccountPages.logout"}
    asks_itself = {"SessionApi.refresh"}  # for the token that it renews
    assert reached - logout == PUBLIC_ENDPOINTS - logout - asks_itself


def test_anonymous_programs_get_401_as_json(app):
    answer = app.test_client().get("/todos", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"


def test_roles_grant_only_what_is_declared(app):
    known = declared(app.appbuilder)
    for name, given in role_grants(known).items():
        assert given <= known, name
    assert role_grants(known)["Admin"] == known


def test_misspelt_grant_stops_the_sync(app, monkeypatch):
    monkeypatch.setitem(ROLES, "Typist", {"Todo": "lsit"})
    with pytest.raises(KeyError, match="can_lsit"):
        role_grants(declared(app.appbuilder))


def test_public_role_grants_nothing(app):
    assert ROLES["Public"] == {}
    public = db.session.scalar(select(Role).where(Role.name == "Public"))
    assert public.permissions == []


def test_right_given_to_the_public_role_opens_nothing_to_anonymous_visitors(app, cast, restored):
    give("Public", "can_list", "Todo")
    assert answer_of(app.test_client().get("/todos")) == "login"


def test_user_with_the_public_role_only_may_do_nothing(app, cast):
    nobody = app.test_client().sign_in(create_user("nobody", "Public"))
    assert nobody.get("/todos").status_code == 403
    assert nobody.get("/users/lookup?q=a").status_code == 403
    assert nobody.get("/admin/todos/list/").status_code == 403


@pytest.mark.parametrize("name", sorted(name for name in ROLES))
def test_database_has_exactly_the_grants_of_each_built_in_role(app, name):
    assert stored(name) == role_grants(declared(app.appbuilder))[name]


def test_revoked_right_is_gone_at_the_next_request(login, cast, restored):
    client = login("alice")
    assert client.get("/jobs").status_code == 200
    role = db.session.scalar(select(Role).where(Role.name == "Member"))
    with transaction() as session:
        rows = assoc_permissionview_role
        session.execute(
            delete(rows).where(rows.c.role_id == role.id, rows.c.permission_view_id == pair_id("can_list", "Job"))
        )
    assert client.get("/jobs").status_code == 403


def test_given_right_holds_at_the_next_request(login, cast, restored):
    client = login("alice")
    assert client.get("/admin/users/list/").status_code == 403
    give("Member", "can_list", "User")
    assert client.get("/admin/users/list/").status_code == 200


@pytest.mark.parametrize("path", ["/todos", "/admin/todos/list/", "/admin/roles/list/", "/api/v1/todos/"])
def test_rights_are_read_once_a_request(login, cast, path):
    create_todo(cast.alice)
    client = login("ada")
    with count_queries() as statements:
        assert client.get(path).status_code == 200
    of_viewer = [line for line in statements if "ab_user_role" in line and "ab_permission_view_role" in line]
    assert len(of_viewer) == 1


@pytest.fixture
def restored(app):
    """Brings the grants back in line with the code after a test that changed them."""
    yield
    db.session.rollback()
    with transaction() as session:
        session.execute(delete(Role).where(Role.name.not_in(ROLES)))
    result = app.test_cli_runner().invoke(sync_command)
    assert result.exit_code == 0, result.output


def pair_id(permission: str, on: str) -> int:
    """Return the id of a grant."""
    statement = select(PermissionView.id).join(Permission).join(ViewMenu)
    return db.session.scalar(statement.where(Permission.name == permission, ViewMenu.name == on))


def give(role: str, permission: str, on: str) -> None:
    """Give a role a grant behind the application's back."""
    role_id = db.session.scalar(select(Role.id).where(Role.name == role))
    with transaction() as session:
        session.execute(
            assoc_permissionview_role.insert().values(role_id=role_id, permission_view_id=pair_id(permission, on))
        )


def stored(role: str) -> set[tuple[str, str]]:
    """Return the grants that a role has in the database."""
    db.session.expire_all()
    row = db.session.scalar(select(Role).where(Role.name == role))
    return {(pair.permission.name, pair.view_menu.name) for pair in row.permissions}


def test_sync_command_changes_nothing_the_second_time(app, restored):
    before = everything()
    result = app.test_cli_runner().invoke(sync_command)
    assert result.exit_code == 0
    assert "0 grants added, 0 removed" in result.output
    assert everything() == before


def test_sync_repairs_built_in_roles_in_both_directions(app, restored):
    give("Viewer", "can_delete", "Todo")
    with transaction() as session:
        rows = assoc_permissionview_role
        session.execute(delete(rows).where(rows.c.permission_view_id == pair_id("can_see_all", "Job")))
    result = app.test_cli_runner().invoke(sync_command)
    assert "2 grants added, 1 removed" in result.output
    assert ("can_delete", "Todo") not in stored("Viewer")
    assert ("can_see_all", "Job") in stored("Manager")


def test_sync_keeps_the_grants_of_peoples_own_roles(app, restored):
    with transaction() as session:
        session.add(Role(name="Archivist"))
    give("Archivist", "can_list", "Todo")
    app.test_cli_runner().invoke(sync_command)
    assert stored("Archivist") == {("can_list", "Todo")}


def test_renamed_view_takes_the_grants_of_peoples_own_roles_along(app, restored):
    with transaction() as session:
        session.add(Role(name="Archivist"))
    give("Archivist", "can_list", "Todo")
    give("Archivist", "can_list", "Job")
    known = declared(app.appbuilder)
    now = {(permission, "Task" if on == "Todo" else on) for permission, on in known}
    permissions.sync(now, {"Todo": "Task"}, {"Admin": now})
    assert stored("Archivist") == {("can_list", "Task"), ("can_list", "Job")}
    assert stored("Admin") == now
    permissions.sync(now, {"Todo": "Task"}, {"Admin": now})
    assert stored("Archivist") == {("can_list", "Task"), ("can_list", "Job")}


def test_sync_removes_what_nothing_checks_any_more(app, restored):
    with transaction() as session:
        session.add(Role(name="Archivist"))
    give("Archivist", "can_cancel", "Job")
    give("Archivist", "can_list", "Todo")
    less = {(permission, on) for permission, on in declared(app.appbuilder) if on != "Job"}
    counts = permissions.sync(less, {}, {"Admin": less})
    assert counts == {"added": 0, "removed": 0}
    assert stored("Archivist") == {("can_list", "Todo")}
    assert db.session.scalar(select(ViewMenu.id).where(ViewMenu.name == "Job")) is None
    assert db.session.scalar(select(Permission.id).where(Permission.name == "can_cancel")) is None


def test_rights_that_services_check_are_declared(app):
    assert grants(FURTHER) <= declared(app.appbuilder)
