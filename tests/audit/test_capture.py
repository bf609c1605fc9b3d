"""Whatever way a row changes, the trail says so once, with the values before and after."""

from datetime import date

import pytest
from sqlalchemy import delete, insert, select, update

from app.db import transaction, utcnow
from app.extensions import db
from app.models import Attachment, AuditEntry, AuditPerson, Job, Tag, Todo, User, todo_assignees
from app.services import audit, tags, todos, undo, users_accounts
from tests.conftest import count_queries
from tests.factories import PASSWORD, create_attachment, create_todo


def entries(*actions: str, **columns) -> list[AuditEntry]:
    """The entries since the last forgetting, oldest first."""
    statement = select(AuditEntry).filter_by(**columns).order_by(AuditEntry.id)
    return [one for one in db.session.scalars(statement) if not actions or one.action in actions]


def test_new_row_leaves_one_entry_with_its_values(cast, since):
    todo = create_todo(cast.alice, due_on=date(2030, 1, 1), assignees=[cast.bob])
    (entry,) = since()
    assert (entry.kind, entry.action, entry.entity, entry.row_id) == ("data", "created", "todo", todo.id)
    assert (entry.todo_id, entry.label, entry.version) == (todo.id, "Water the plants", 1)
    assert entry.changes["due_on"] == [None, "2030-01-01"]
    assert entry.changes["assignees"] == [[], [cast.bob.id]]
    assert entry.changes["owner_id"] == [None, cast.alice.id]


def test_changes_of_an_object_are_folded_into_one_entry(cast, since):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    since()
    with transaction() as session:
        todo.title = "First"
        session.flush()
        todo.title, todo.assignees = "Second", [cast.charlie]
    (entry,) = since()
    assert entry.action == "changed"
    assert entry.changes == {
        "title": ["Water the plants", "Second"],
        "assignees": [[cast.bob.id], [cast.charlie.id]],
    }
    assert entry.version == todo.version


def test_what_is_taken_back_within_a_transaction_leaves_nothing(cast, since):
    todo = create_todo(cast.alice)
    since()
    with transaction() as session:
        todo.title = "Other"
        session.flush()
        todo.title = "Water the plants"
    assert since() == []


def test_rollback_leaves_nothing(cast, since):
    todo = create_todo(cast.alice)
    since()

    def fail():
        with transaction() as session:
            todo.title = "Other"
            session.flush()
            session.execute(update(Todo).values(complete=True, completed_at=utcnow()))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with transaction():
        pass
    assert since() == []


def test_value_before_is_known_after_a_rollback_forgot_it(cast, since):
    todo = create_todo(cast.alice)
    since()
    db.session.rollback()
    db.session.expire(todo)
    with transaction():
        todo.title = "Other"
    (entry,) = since()
    assert entry.changes == {"title": ["Water the plants", "Other"]}


def test_savepoint_that_is_rolled_back_leaves_nothing_of_its_own(cast, since):
    todo = create_todo(cast.alice)
    since()
    with transaction() as session:
        todo.priority = 0
        savepoint = session.begin_nested()
        todo.title = "Other"
        session.flush()
        savepoint.rollback()
    (entry,) = since()
    assert entry.changes == {"priority": [2, 0]}


def test_statement_over_many_rows_leaves_an_entry_for_each_that_changed(cast, viewer, since):
    rows = [create_todo(cast.alice, f"Todo {i}") for i in range(3)]
    done = create_todo(cast.alice, complete=True)
    theirs = create_todo(cast.bob)
    since()
    todos.set_complete(viewer("alice"), [row.id for row in [*rows, done, theirs]], True)
    found = since()
    assert sorted(entry.row_id for entry in found) == [row.id for row in rows]
    assert all(entry.changes == {"complete": [False, True]} and entry.version == 2 for entry in found)
    assert sorted(entry.label for entry in found) == ["Todo 0", "Todo 1", "Todo 2"]


def test_thousand_rows_cost_as_many_statements_as_three(cast, viewer):
    rows = [{"title": f"Todo {i}", "owner_id": cast.alice.id} for i in range(1000)]
    with transaction() as session:
        ids = list(session.scalars(insert(Todo).returning(Todo.id), rows))
    costs = []
    for chosen in (ids[:3], ids[3:]):
        with count_queries() as statements:
            assert len(todos.set_complete(viewer("alice"), chosen, True).ids) == len(chosen)
            assert len(todos.assign(viewer("alice"), chosen, [cast.bob, cast.charlie]).ids) == len(chosen)
        costs.append(len(statements))
    assert costs[0] == costs[1]
    assert len(entries("changed")) == 2000


def test_assigning_leaves_what_changed_of_each_todo(cast, viewer, since):
    first = create_todo(cast.alice, assignees=[cast.bob])
    second = create_todo(cast.alice)
    same = create_todo(cast.alice, assignees=[cast.charlie])
    since()
    todos.assign(viewer("alice"), [first.id, second.id, same.id], [cast.charlie])
    found = {entry.row_id: entry for entry in since()}
    assert found[first.id].changes == {"assignees": [[cast.bob.id], [cast.charlie.id]]}
    assert found[second.id].changes == {"assignees": [[], [cast.charlie.id]]}
    assert same.id not in found
    assert found[first.id].version == 2


def test_undoing_leaves_the_way_back(cast, viewer, since):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    since()
    outcome = todos.assign(viewer("alice"), [todo.id], [cast.charlie])
    undo.take_back(viewer("alice"), outcome.step_id)
    first, second = since()
    assert first.changes == {"assignees": [[cast.bob.id], [cast.charlie.id]]}
    assert second.changes == {"assignees": [[cast.charlie.id], [cast.bob.id]]}
    outcome = todos.set_complete(viewer("alice"), [todo.id], True)
    undo.take_back(viewer("alice"), outcome.step_id)
    assert [entry.changes for entry in since()] == [{"complete": [False, True]}, {"complete": [True, False]}]


def test_moving_to_the_trash_and_back_has_names_of_its_own(cast, viewer, since):
    todo = create_todo(cast.alice)
    since()
    todos.delete_todos(viewer("alice"), [todo.id])
    todos.restore(viewer("alice"), [todo.id])
    with transaction() as session:
        session.execute(delete(Todo).where(Todo.id == todo.id))
    assert [entry.action for entry in since()] == ["deleted", "restored", "purged"]


def test_files_are_part_of_their_todos_history(cast, since):
    todo = create_todo(cast.alice)
    since()
    file = create_attachment(todo, name="plan.png")
    (entry,) = since()
    assert (entry.entity, entry.row_id, entry.changes) == ("todo", todo.id, {"attachments": [[], ["plan.png"]]})
    with transaction():
        todo.attachments.remove(file)
    (entry,) = since()
    assert entry.changes == {"attachments": [["plan.png"], []]}
    create_attachment(None, name="waiting.png", uploaded_by_id=cast.alice.id)
    assert since() == []
    with transaction() as session:
        session.execute(update(Attachment).where(Attachment.todo_id.is_(None)).values(todo_id=todo.id))
    (entry,) = since()
    assert entry.changes == {"attachments": [[], ["waiting.png"]]}


def test_set_based_inserts_are_seen(cast, since):
    rows = [{"title": f"Todo {i}", "owner_id": cast.alice.id} for i in range(3)]
    with transaction() as session:
        ids = session.scalars(insert(Todo).returning(Todo.id, sort_by_parameter_order=True), rows).all()
        session.execute(insert(todo_assignees), [{"todo_id": ids[0], "user_id": cast.bob.id}])
        session.execute(insert(Job), [{"name": "todos.export", "args": {}, "owner_id": cast.alice.id}] * 2)
    found = since()
    assert [(entry.entity, entry.action) for entry in found] == [("todo", "created")] * 3 + [("job", "submitted")] * 2
    assert [entry.label for entry in found[:3]] == ["Todo 0", "Todo 1", "Todo 2"]
    assert found[0].changes["assignees"] == [[], [cast.bob.id]]


def test_secrets_and_personal_facts_never_get_in(cast, since):
    with transaction():
        cast.bob.first_name, cast.bob.email, cast.bob.password = "Robert", "secret@example.org", "scrypt:secret"
    found = since()
    assert [entry.action for entry in found] == ["password_changed", "changed"]
    assert found[1].changes == {"email": None, "first_name": None}
    everything = str([vars(entry) for entry in entries()])
    assert "secret" not in everything
    assert "@" not in everything
    assert db.session.get(AuditPerson, cast.bob.id).name == "Robert Member"


@pytest.mark.parametrize(
    ("wrong", "actions"),
    [(0, ["login"]), (1, ["login_failed"]), (5, ["login_failed"] * 4 + ["login_failed", "locked"])],
)
def test_logins_and_failures_are_events(cast, since, wrong, actions):
    for _ in range(wrong):
        users_accounts.authenticate("bob", "not this one")
    if not wrong:
        users_accounts.authenticate("bob", PASSWORD)
    found = since()
    assert [entry.action for entry in found] == actions
    assert {entry.row_id for entry in found} == {cast.bob.id}


def test_values_as_of_a_version_are_those_that_were_read_then(cast, viewer):
    todo = create_todo(cast.alice, "One", due_on=date(2030, 1, 1), assignees=[cast.bob])
    with transaction():
        todo.title, todo.due_on = "Two", None
    todos.assign(viewer("alice"), [todo.id], [cast.charlie])
    todos.set_complete(viewer("alice"), [todo.id], True)
    fresh = db.session.scalar(select(Todo).execution_options(populate_existing=True))
    assert fresh.version == 4
    first, second, third = (audit.as_of(fresh, version) for version in (1, 2, 3))
    assert (first["title"], first["due_on"], first["assignees"]) == ("One", date(2030, 1, 1), {cast.bob.id})
    assert (second["title"], second["due_on"], second["assignees"]) == ("Two", None, {cast.bob.id})
    assert (third["assignees"], third["complete"]) == ({cast.charlie.id}, False)
    assert audit.as_of(fresh, 4)["complete"] is True


def test_tags_that_are_merged_show_in_each_todos_history(cast, since):
    old, kept = Tag(name="Errand"), Tag(name="Errands")
    first, second = create_todo(cast.alice, tags=[old]), create_todo(cast.alice, tags=[old, kept])
    since()
    old_id = old.id
    tags.merge([old, kept], kept)
    found = {(entry.entity, entry.row_id): entry for entry in since()}
    assert found["todo", first.id].changes == {"tags": [[old_id], [kept.id]]}
    assert found["todo", second.id].changes == {"tags": [[old_id], []]}
    assert found["tag", old_id].action == "deleted"
    fresh = db.session.get(Todo, first.id, populate_existing=True)
    assert audit.as_of(fresh, 1)["tags"] == {old_id}


def test_insert_that_finds_the_row_there_leaves_nothing(cast, since, viewer):
    todo = create_todo(cast.alice)
    tags.save(Tag(), "Errand", "red")
    since()
    todos.update_todo(viewer("alice"), todo, 1, tag_names=["Errand", "New"])
    found = since()
    assert [(entry.entity, entry.action, entry.label) for entry in found] == [
        ("tag", "created", "New"),
        ("todo", "changed", "Water the plants"),
    ]
    assert len(found[1].changes["tags"][1]) == 2


def test_audited_is_what_is_not_exempt(app):
    from app.services.audit_rules import AUDITED, EXEMPT, LINKS

    tables = set(db.metadata.tables)
    listed = [*AUDITED, *LINKS, *EXEMPT]
    assert sorted(listed) == sorted(tables), "say in services/audit_rules.py what the trail keeps of this table"
    assert set(User.__table__.columns.keys()) >= set(AUDITED["ab_user"].watched)
