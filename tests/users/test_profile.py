"""What people change about themselves, and what they cannot."""

import pytest
from werkzeug.security import check_password_hash

from app.extensions import db
from app.models import User
from tests.factories import PASSWORD, create_user

FACTS = {"first_name": "Alicia", "last_name": "Keys", "email": "alicia@example.org", "time_zone": "Asia/Tokyo"}
STRONG = "seven quiet otters juggle lemons"


def facts_of(user: User) -> tuple:
    """Return what the form changes, read afresh."""
    db.session.refresh(user)
    return user.first_name, user.last_name, user.email, user.time_zone


def test_name_address_and_zone_are_saved(login, cast):
    client = login("alice")
    answer = client.send("/profile", FACTS)
    assert answer.location == "/profile"
    assert facts_of(cast.alice) == tuple(FACTS.values())
    page = client.get("/profile").text
    assert "Your profile is saved." in page
    assert 'value="Asia/Tokyo"' in page


def test_form_changes_nothing_else_and_nobody_else(login, cast):
    db.session.refresh(cast.alice)
    stamp, roles = cast.alice.session_stamp, list(cast.alice.roles)
    more = {
        "id": cast.bob.id,
        "user_id": cast.bob.id,
        "username": "root",
        "roles": "Admin",
        "active": "",
        "password": "x",
    }
    login("alice").send("/profile", FACTS | more | {"session_stamp": "x", "fail_login_count": 7})
    assert facts_of(cast.bob)[0] == "Bob"
    assert facts_of(cast.alice)[0] == "Alicia"
    assert (cast.alice.username, cast.alice.session_stamp) == ("alice", stamp)
    assert cast.alice.roles == roles
    assert cast.alice.active
    assert check_password_hash(cast.alice.password, PASSWORD)


@pytest.mark.parametrize("email", ["bob@example.org", "Bob@Example.ORG"])
def test_address_of_somebody_else_is_refused_in_any_case(login, cast, email):
    answer = login("alice").send("/profile", FACTS | {"email": email})
    assert answer.status_code == 409
    assert "email address" in answer.text
    assert 'value="Keys"' in answer.text
    assert facts_of(cast.alice)[0] == "Alice"


def test_own_address_may_change_its_case(login, cast):
    assert login("alice").send("/profile", FACTS | {"email": "Alice@Example.org"}).status_code == 302
    assert facts_of(cast.alice)[2] == "Alice@Example.org"


@pytest.mark.parametrize(
    "changes",
    [
        {"first_name": " "},
        {"last_name": "x" * 65},
        {"email": "nonsense"},
        {"email": "x" * 320 + "@example.org"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "/etc/passwd"},
        {"first_name": "a\x00b"},
    ],
    ids=str,
)
def test_unusable_facts_are_refused(login, cast, changes):
    before = facts_of(cast.alice)
    assert login("alice").send("/profile", FACTS | changes).status_code == 400
    assert facts_of(cast.alice) == before


def test_password_is_changed_with_the_present_one(login, cast):
    client = login("alice")
    assert client.send("/profile/password", {"old": PASSWORD, "new": STRONG}).location == "/profile"
    assert "signed out everywhere else" in client.get("/profile").text
    db.session.refresh(cast.alice)
    assert check_password_hash(cast.alice.password, STRONG)


@pytest.mark.parametrize("old", ["", "wrong", PASSWORD.upper(), "x" * 200])
def test_password_is_not_changed_without_the_present_one(login, cast, old):
    answer = login("alice").send("/profile/password", {"old": old, "new": STRONG})
    assert answer.status_code == 400
    db.session.refresh(cast.alice)
    assert check_password_hash(cast.alice.password, PASSWORD)


def test_guessing_the_present_password_is_slowed_as_at_login(login, cast):
    client = login("alice")
    for number in range(5):
        base = {"REMOTE_ADDR": f"192.0.2.{number}"}
        client.send("/profile/password", {"old": "wrong", "new": STRONG}, environ_base=base)
    answer = client.send("/profile/password", {"old": PASSWORD, "new": STRONG})
    assert answer.status_code == 429
    db.session.refresh(cast.alice)
    assert check_password_hash(cast.alice.password, PASSWORD)


def test_passwords_are_never_shown_again(login):
    answer = login("alice").send("/profile/password", {"old": "my wrong secret", "new": "another secret of mine"})
    assert "my wrong secret" not in answer.text
    assert "another secret of mine" not in answer.text


def test_new_password_signs_in_and_the_old_one_does_not(app, login, cast):
    login("alice").send("/profile/password", {"old": PASSWORD, "new": STRONG})
    assert app.test_client().send("/login/", {"username": "alice", "password": PASSWORD}).status_code == 401
    assert app.test_client().send("/login/", {"username": "alice", "password": STRONG}).status_code == 302


def test_nobody_with_no_role_edits_a_profile(app):
    client = app.test_client().sign_in(create_user("nobody", "Public"))
    assert client.send("/profile", FACTS).status_code == 403
    assert client.send("/profile/password", {"old": PASSWORD, "new": STRONG}).status_code == 403
