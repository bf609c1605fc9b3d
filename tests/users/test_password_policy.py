"""One password policy at every door through which a password can be set."""

from typing import Any

import pytest
from flask_appbuilder.cli import fab
from sqlalchemy import func, select
from werkzeug.security import check_password_hash

from app.cli import first_admin
from app.errors import Invalid
from app.extensions import db
from app.models import User
from app.services import passwords
from tests.factories import PASSWORD

STRONG = "seven quiet otters juggle lemons"
WEAK = {
    "a": "at least 12 characters",
    "Tr0ub4dor&3": "at least 12 characters",
    "password1234": "easy to guess",
    "qwertyuiop[]": "easy to guess",
    "aaaaaaaaaaaaaaaa": "easy to guess",
    "dorothea1234": "easy to guess",
    "otters " * 19: "at most 128 characters",
}
FACTS = {"username": "dorothea", "email": "dorothea@example.org", "first_name": "Dorothea", "last_name": "Lange"}


def of_alice(weak: str) -> str:
    """Return what is as weak for Alice."""
    return weak.replace("dorothea", "alicealice")


def of(username: str) -> str | None:
    """Return the hash of somebody's password."""
    db.session.rollback()
    return db.session.scalar(select(User.password).where(User.username == username))


def command(app: Any, *args: str) -> Any:
    """Run a command of `flask fab`."""
    return app.test_cli_runner().invoke(fab, list(args))


def options(facts: dict[str, str]) -> list[str]:
    """Return facts as options of a command."""
    names = {"first_name": "firstname", "last_name": "lastname"}
    return [f"--{names.get(name, name)}={value}" for name, value in facts.items()]


@pytest.mark.parametrize("weak", WEAK)
def test_policy_says_what_is_wrong(weak):
    with pytest.raises(Invalid, match=WEAK[weak]):
        passwords.check(weak, *FACTS.values())


@pytest.mark.parametrize("good", [STRONG, PASSWORD, "x7#mQ!pw0Zk2", "пароль из нескольких слов", "o" * 3 + STRONG * 3])
def test_policy_has_no_rules_about_characters(good):
    passwords.check(good, *FACTS.values())


def test_ones_own_name_is_guessed_first():
    passwords.check("zbrovniczky77", "bob")
    with pytest.raises(Invalid, match="easy to guess"):
        passwords.check("zbrovniczky77", "Zbrovniczky")


def test_registration_refuses_weak_passwords(app):
    for weak in WEAK:
        answer = app.test_client().send("/register", FACTS | {"time_zone": "UTC", "password": weak})
        assert answer.status_code == 400, weak
        assert WEAK[weak] in answer.text or len(weak) > 128
        assert f'"{weak}"' not in answer.text
    assert of("dorothea") is None


def test_profile_refuses_weak_passwords(login, cast):
    client = login("alice")
    for weak in WEAK:
        answer = client.send("/profile/password", {"old": PASSWORD, "new": of_alice(weak)})
        assert answer.status_code == 400, weak
    assert check_password_hash(of("alice"), PASSWORD)
    assert client.get("/todos").status_code == 200


def test_admin_forms_refuse_weak_passwords(login, cast):
    client = login("ada")
    for weak in WEAK:
        answer = client.send("/admin/users/add", FACTS | {"roles": "Member", "password": weak})
        assert answer.status_code == 400, weak
        answer = client.send(f"/admin/users/password/{cast.alice.id}", {"password": of_alice(weak)})
        assert answer.status_code == 400, weak
    assert of("dorothea") is None
    assert check_password_hash(of("alice"), PASSWORD)


@pytest.mark.parametrize("name", ["create-user", "create-admin"])
def test_commands_refuse_weak_passwords(app, name):
    role = ["--role=Member"] if name == "create-user" else []
    for weak, reason in WEAK.items():
        result = command(app, name, *role, *options(FACTS), f"--password={weak}")
        assert result.exit_code != 0
        assert reason in result.output
        assert "Traceback" not in result.output
    assert of("dorothea") is None


def test_reset_command_refuses_weak_passwords(app, cast):
    for weak, reason in WEAK.items():
        result = command(app, "reset-password", "--username=alice", f"--password={of_alice(weak)}")
        assert result.exit_code != 0
        assert reason in result.output
    assert check_password_hash(of("alice"), PASSWORD)


def test_commands_accept_strong_passwords(app):
    result = command(app, "create-user", "--role=Viewer", *options(FACTS), f"--password={STRONG}")
    assert result.exit_code == 0, result.output
    user = db.session.scalar(select(User))
    assert ([role.name for role in user.roles], user.active, user.time_zone) == (["Viewer"], True, "UTC")
    assert user.password.startswith("scrypt:")
    assert app.test_client().send("/login/", {"username": "dorothea", "password": STRONG}).status_code == 302
    admin = {"username": "root", "email": "root@example.org", "first_name": "R", "last_name": "T"}
    assert command(app, "create-admin", *options(admin), f"--password={STRONG}").exit_code == 0
    root = db.session.scalar(select(User).where(User.username == "root"))
    assert [role.name for role in root.roles] == ["Admin"]


def test_reset_command_sets_the_password_and_ends_sessions(app, login, cast):
    client = login("alice")
    result = command(app, "reset-password", "--username=alice", f"--password={STRONG}")
    assert result.exit_code == 0, result.output
    assert check_password_hash(of("alice"), STRONG)
    assert client.get("/todos").status_code == 302


@pytest.mark.parametrize("name", ["create-user", "create-admin"])
@pytest.mark.parametrize(
    "taken",
    [
        {"username": "alice"},
        {"username": "ALICE"},
        {"email": "alice@example.org"},
        {"email": "Alice@Example.ORG"},
    ],
    ids=str,
)
def test_commands_add_nobody_twice(app, cast, name, taken):
    role = ["--role=Member"] if name == "create-user" else []
    count = select(func.count()).select_from(User)
    before = db.session.scalar(count)
    command(app, name, *role, *options(FACTS | taken), f"--password={STRONG}")
    db.session.rollback()
    assert db.session.scalar(count) == before


def test_first_admin_gets_a_password_that_works_and_is_printed_once(app):
    result = app.test_cli_runner().invoke(first_admin)
    assert result.exit_code == 0, result.output
    password = result.output.split("Password: ")[1].strip()
    passwords.check(password, "admin", "admin@example.org")
    assert app.test_client().send("/login/", {"username": "admin", "password": password}).status_code == 302
    again = app.test_cli_runner().invoke(first_admin)
    assert again.exit_code == 0
    assert "no admin was made" in again.output
    assert "Password" not in again.output
