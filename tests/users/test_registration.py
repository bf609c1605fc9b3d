"""Registration: open or closed, always a Member, never a name that is taken."""

from typing import Any

import pytest
from sqlalchemy import delete, func, select

from app.extensions import db
from app.models import User
from tests.factories import PASSWORD, create_user

FACTS = {
    "username": "erin",
    "email": "erin@example.org",
    "first_name": "Erin",
    "last_name": "Ray",
    "time_zone": "Europe/Berlin",
    "password": "seven quiet otters juggle lemons",
}


def register(app: Any, **changes: Any) -> Any:
    """Send the registration form with a new browser."""
    return app.test_client().send("/register", FACTS | changes)


def erin() -> User | None:
    """Return who was registered."""
    return db.session.scalar(select(User).where(func.lower(User.username) == "erin"))


def count() -> int:
    """Return how many users there are."""
    return db.session.scalar(select(func.count()).select_from(User))


def test_visitor_becomes_a_member_and_is_signed_in(app):
    client = app.test_client()
    assert client.send("/register", FACTS).location == "/"
    user = erin()
    assert [role.name for role in user.roles] == ["Member"]
    assert (user.active, user.time_zone, user.get_full_name()) == (True, "Europe/Berlin", "Erin Ray")
    assert user.password.startswith("scrypt:")
    assert "Welcome, Erin" in client.get("/todos").text


def test_form_cannot_ask_for_more_than_a_member_gets(app):
    more = {"roles": "Admin", "role": "Admin", "id": 1, "active": "", "is_admin": 1, "session_stamp": "x", "groups": 1}
    answer = register(app, **more, login_count=9, hashed_password="x", created_by_fk=1)
    assert answer.status_code == 302
    user = erin()
    assert [role.name for role in user.roles] == ["Member"]
    assert user.active
    assert user.session_stamp != "x"
    assert user.login_count in (None, 0)
    assert user.groups == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_closed_registration_has_no_page(make_app, method):
    client = make_app(REGISTRATION_ENABLED="0").test_client()
    answer = client.open("/register", method=method, data=FACTS | {"csrf_token": client.token()})
    assert answer.status_code == 404
    assert "Ask an admin" in answer.text
    assert "/register" not in client.get("/login/").text
    assert erin() is None


def test_open_registration_is_offered_at_login(app):
    assert 'href="/register"' in app.test_client().get("/login/").text


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"username": "alice"}, "username"),
        ({"username": "ALICE"}, "username"),
        ({"username": " Alice "}, "username"),
        ({"email": "alice@example.org"}, "email address"),
        ({"email": "Alice@Example.ORG"}, "email address"),
    ],
)
def test_taken_name_or_address_is_refused_in_any_case(app, cast, changes, word):
    before = count()
    answer = register(app, **changes)
    assert answer.status_code == 409
    assert f"This {word} is taken." in answer.text
    assert count() == before


@pytest.mark.parametrize("name", ["alice@example.org", "Alice@Example.org"])
def test_address_of_somebody_else_cannot_become_a_username(app, cast, name):
    answer = register(app, username=name)
    assert answer.status_code in (400, 409)
    login = app.test_client().send("/login/", {"username": "alice@example.org", "password": PASSWORD})
    assert login.status_code == 302


def test_unusable_facts_are_refused_and_stay_in_the_form(app):
    wrong = {}
    for changes in (
        {"username": ""},
        {"username": "e"},
        {"username": "e" * 65},
        {"username": "two words"},
        {"username": "a,b"},
        {"username": "erin\x00"},
        {"username": "<script>"},
        {"email": "nonsense"},
        {"email": "a@b"},
        {"email": "x" * 320 + "@example.org"},
        {"first_name": "   "},
        {"first_name": "x" * 65},
        {"first_name": "\x00"},
        {"last_name": ""},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": ""},
    ):
        answer = register(app, **changes)
        kept = 'value="Ray"' in answer.text or "last_name" in changes
        if answer.status_code != 400 or not kept or FACTS["password"] in answer.text:
            wrong[str(changes)[:40]] = answer.status_code
            db.session.rollback()
            db.session.execute(delete(User))
            db.session.commit()
    assert not wrong


def test_markup_in_a_name_is_shown_as_text(app):
    client = app.test_client()
    client.send("/register", FACTS | {"first_name": "<img src=x>"})
    page = client.get("/users").text
    assert "&lt;img src=x&gt;" in page
    assert "<img src=x>" not in page


def test_name_of_a_deactivated_user_stays_taken(app):
    user = create_user("erin")
    user.active = False
    db.session.commit()
    assert register(app).status_code == 409
