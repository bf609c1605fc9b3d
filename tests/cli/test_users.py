"""`flask users`: listing, and who may sign in."""

import json

import pytest

from app.extensions import db
from app.models import User
from app.services.permissions import load_user
from tests.factories import create_user


def is_active(user: User) -> bool:
    db.session.rollback()
    return bool(db.session.get(User, user.id, populate_existing=True).active)


def test_people_are_listed_in_order_with_roles(run, cast):
    lines = run("users", "list").stdout.splitlines()
    assert lines[0].split() == ["USERNAME", "NAME", "EMAIL", "ROLES", "ACTIVE", "LAST_LOGIN"]
    assert [line.split()[0] for line in lines[1:]] == ["ada", "alice", "bob", "charlie", "max", "vera"]
    assert "Manager" in next(line for line in lines if line.startswith("max"))


def test_list_can_be_narrowed_and_read_by_programs(run, cast):
    create_user("gone").active = False
    db.session.commit()
    assert [person["username"] for person in json.loads(run("users", "list", "--role", "Viewer", "--json").stdout)] == [
        "vera"
    ]
    [gone] = json.loads(run("users", "list", "--inactive", "--json").stdout)
    assert (gone["username"], gone["active"], gone["roles"], gone["last_login"]) == ("gone", False, ["Member"], None)
    assert json.loads(run("users", "list", "--inactive", "--role", "Viewer", "--json").stdout) == []


def test_unknown_role_is_an_error(run, cast):
    result = run("users", "list", "--role", "Emperor")
    assert (result.exit_code, result.stderr) == (1, "Error: There is no role Emperor.\n")


def test_deactivated_user_is_signed_out_and_comes_back_by_activate(run, cast, login):
    browser = login("alice")
    assert browser.get("/todos").status_code == 200
    assert run("users", "deactivate", "ALICE").exit_code == 0
    assert not is_active(cast.alice)
    assert load_user(cast.alice.id) is None
    assert browser.get("/todos").status_code == 302
    assert "already" in run("users", "deactivate", "alice").stdout
    assert run("users", "activate", "alice").exit_code == 0
    assert is_active(cast.alice)
    assert browser.get("/todos").status_code == 302


def test_dry_run_changes_nothing(run, cast):
    result = run("users", "deactivate", "alice", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "alice cannot sign in after this; nothing was changed.\n")
    assert is_active(cast.alice)


@pytest.mark.parametrize(("name", "sentence"), [("ada", "last active admin"), ("nobody", "nobody called nobody")])
def test_refusals_have_a_sentence_and_exit_code_1(run, cast, name, sentence):
    result = run("users", "deactivate", name)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert is_active(cast.ada)
