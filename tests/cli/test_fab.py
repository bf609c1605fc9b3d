"""`flask fab`: everything it offers works on this site, and a command that fails says so by its exit code."""

import pytest
from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import func, select

from app.extensions import db
from app.models import User
from app.services import users_accounts
from tests.factories import PASSWORD

NEW = ["--username", "dora", "--email", "dora@example.org"]
FACTS = ["--firstname", "Dora", "--lastname", "Maar", "--password", PASSWORD]


def roles_of(username):
    db.session.rollback()
    user = db.session.scalar(select(User).where(User.username == username).execution_options(populate_existing=True))
    return [role.name for role in user.roles]


@pytest.mark.parametrize("create", [["create-admin"], ["create-user", "--role", "Admin"]])
def test_created_admin_can_sign_in(run, app, create):
    result = run("fab", *create, "--username", "dora", "--email", "dora@example.org", *FACTS)
    assert result.exit_code == 0, result.output
    assert roles_of("dora") == ["Admin"]
    assert users_accounts.authenticate("dora", PASSWORD)


@pytest.mark.parametrize("create", [["create-admin"], ["create-user", "--role", "Member"]])
@pytest.mark.parametrize(("username", "email"), [("alice", "new@example.org"), ("new", "alice@example.org")])
def test_taken_name_or_address_is_an_error(run, cast, create, username, email):
    result = run("fab", *create, "--username", username, "--email", email, *FACTS)
    assert result.exit_code == 1
    assert "is taken by alice" in result.stderr
    assert db.session.scalar(select(func.count()).select_from(User)) == 6


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            ["create-user", "--role", "Emperor", "--username", "d", "--email", "d@example.org", *FACTS],
            "no role Emperor",
        ),
        (["create-user", "--role", "Member", *NEW, *FACTS[:4], "--password", "short"], "12 characters"),
        (["reset-password", "--username", "nobody", "--password", PASSWORD], "nobody called nobody"),
        (["reset-password", "--username", "alice", "--password", "short"], "12 characters"),
        (["import-roles", "--path", "/nowhere/roles.json"], "/nowhere/roles.json cannot be read"),
        (["export-roles", "--path", "/nowhere/roles.json"], "/nowhere/roles.json cannot be written"),
        (["create-db"], "run flask db upgrade"),
    ],
)
def test_failure_has_a_sentence_and_exit_code_1(run, cast, command, sentence):
    result = run("fab", *command)
    assert (result.exit_code, result.exception.__class__) == (1, SystemExit), result.output
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"username": ""}, "username"),
        ({"username": "a" * 65}, "username"),
        ({"username": "do\nra"}, "username"),
        ({"firstname": "a" * 65}, "first and a last name"),
        ({"lastname": " "}, "first and a last name"),
        ({"email": "nobody"}, "email address"),
    ],
)
def test_what_the_forms_refuse_no_command_takes_and_every_backup_can_be_restored_anywhere(run, cast, facts, sentence):
    dora = {"username": "dora", "firstname": "Dora", "lastname": "Maar", "email": "dora@example.org"}
    given = [f"--{name}={value}" for name, value in (dora | facts).items()]
    result = run("fab", "create-user", "--role", "Member", *given, "--password", PASSWORD)
    assert (result.exit_code, sentence in result.stderr) == (1, True), result.output
    assert db.session.scalar(select(func.count()).select_from(User)) == 6


def test_first_admin_needs_an_address_and_an_empty_site(run, app):
    refused = run("first-admin", "--email", "nobody")
    assert (refused.exit_code, "email address" in refused.stderr) == (1, True)
    assert "Password: " in run("first-admin").stdout
    assert "no admin was made" in run("first-admin").stdout


def test_new_password_replaces_the_old_one(run, cast):
    new = "seven quiet otters juggle lemons"
    assert run("fab", "reset-password", "--username", "alice", "--password", new).exit_code == 0
    assert users_accounts.authenticate("alice", new)
    assert not users_accounts.authenticate("alice", PASSWORD)


def test_roles_travel_as_a_file(run, app, tmp_path):
    file = tmp_path / "roles.json"
    viewer = db.session.scalar(select(Role).where(Role.name == "Viewer"))
    db.session.add(Role(name="Auditor", permissions=viewer.permissions[:4]))
    db.session.commit()
    assert run("fab", "export-roles", "--path", str(file), "--indent", "2").exit_code == 0
    db.session.delete(db.session.scalar(select(Role).where(Role.name == "Auditor")))
    db.session.commit()
    assert run("fab", "import-roles", "--path", str(file)).exit_code == 0
    assert len(db.session.scalar(select(Role).where(Role.name == "Auditor")).permissions) == 4


@pytest.mark.parametrize(
    "content", ["not json", "[1]", '{"a": 1}', '[{"name": "Half"}, {"name": "B"}]', '[{"name": 1}]']
)
def test_file_that_holds_no_roles_changes_nothing(run, app, tmp_path, content):
    (tmp_path / "roles.json").write_text(content)
    result = run("fab", "import-roles", "--path", str(tmp_path / "roles.json"))
    assert result.exit_code == 1
    assert "is not what flask fab export-roles writes" in result.stderr
    assert db.session.scalar(select(func.count()).select_from(Role)) == 5


def test_lists_name_users_and_views(run, cast):
    assert "username:alice | email:alice@example.org | role:[Member]" in run("fab", "list-users").stdout
    views = run("fab", "list-views").stdout
    assert "View:TodoAdmin" in views
    assert "5.3.0" in run("fab", "version").stdout


@pytest.mark.parametrize("command", ["security-cleanup", "create-permissions", "security-converge"])
def test_commands_that_tidy_permissions_leave_them_as_sync_wants_them(run, app, command):
    result = run("fab", command)
    assert result.exit_code == 0, result.output
    assert run("sync").stdout == "Roles are in sync: 0 grants added, 0 removed.\n"
