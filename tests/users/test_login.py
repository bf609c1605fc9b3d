"""Signing in, and what stops those who guess."""

import secrets
from datetime import timedelta
from typing import Any

import pytest

from app.db import transaction, utcnow
from app.extensions import db
from tests.factories import PASSWORD, create_user

NOT_RIGHT = "The username or the password is not right."


def sign_in(app: Any, username: str, password: str = PASSWORD, ip: str = "192.0.2.1") -> Any:
    """Send the login form from an address with a new browser."""
    data = {"username": username, "password": password}
    return app.test_client().send("/login/", data, environ_base={"REMOTE_ADDR": ip})


def fail(app: Any, username: str, times: int) -> list[Any]:
    """Send so many wrong passwords, each from another address."""
    return [sign_in(app, username, "wrong", f"192.0.2.{number}") for number in range(1, times + 1)]


def changed(user: Any, **facts: Any) -> None:
    """Change a user behind the application's back."""
    with transaction():
        for name, value in facts.items():
            setattr(user, name, value)


@pytest.mark.parametrize("name", ["alice", "ALICE", " alice ", "alice@example.org", "Alice@Example.ORG"])
def test_people_sign_in_by_username_or_address_in_any_case(app, cast, name):
    answer = sign_in(app, name)
    assert (answer.status_code, answer.location) == (302, "/")


def test_signing_in_is_counted(app, cast):
    sign_in(app, "alice")
    sign_in(app, "alice", "wrong")
    db.session.refresh(cast.alice)
    assert (cast.alice.login_count, cast.alice.fail_login_count) == (1, 1)
    assert cast.alice.last_login is not None


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1], "x" * 129, "\x00"])
def test_wrong_password_opens_nothing(app, cast, password):
    client = app.test_client()
    answer = client.send("/login/", {"username": "alice", "password": password})
    assert answer.status_code in (400, 401)
    assert client.get("/todos").status_code == 302


def test_unknown_name_gets_the_answer_of_a_wrong_password(app, cast):
    assert NOT_RIGHT in sign_in(app, "alice", "wrong").text
    found = {}
    for name in ("nobody", "_____", "' OR 1=1 --", "x" * 320):
        answer = sign_in(app, name)
        found[name[:20]] = (answer.status_code, NOT_RIGHT in answer.text)
    assert found == dict.fromkeys(found, (401, True))


@pytest.mark.parametrize("name", ["\x00", "alice\x00"])
def test_name_that_no_database_can_hold_is_refused(app, cast, name):
    assert sign_in(app, name).status_code in (400, 401)


def test_answer_never_tells_whether_an_account_exists(app, cast):
    known = [(answer.status_code, NOT_RIGHT in answer.text) for answer in fail(app, "alice", 6)]
    unknown = [(answer.status_code, NOT_RIGHT in answer.text) for answer in fail(app, "nobody", 6)]
    assert known == unknown


def test_deactivated_user_cannot_sign_in_and_is_told_nothing_more(app, cast):
    changed(create_user("gone"), active=False)
    answer = sign_in(app, "gone")
    assert answer.status_code == 401
    assert NOT_RIGHT in answer.text


def test_user_without_a_password_cannot_sign_in(app):
    changed(create_user("empty"), password="")
    changed(create_user("null"), password=None)
    for name in ("empty", "null"):
        for password in ("x", "None"):
            assert sign_in(app, name, password).status_code == 401


def test_what_was_typed_stays_but_not_the_password(app, cast):
    page = sign_in(app, "alice", "my wrong secret").text
    assert 'value="alice"' in page
    assert "my wrong secret" not in page


def test_account_is_slowed_after_five_failures_from_any_address(app, cast):
    fail(app, "alice", 4)
    assert sign_in(app, "alice", ip="198.51.100.9").status_code == 302
    fail(app, "alice", 5)
    refused = sign_in(app, "alice", ip="198.51.100.9")
    assert refused.status_code == 401
    assert NOT_RIGHT in refused.text


def test_failures_by_username_and_address_count_together(app, cast):
    for name in ("alice", "alice@example.org", "ALICE", "Alice@example.org", " alice"):
        sign_in(app, name, "wrong")
    assert sign_in(app, "alice").status_code == 401


def test_failures_at_several_processes_count_together(app, cast, make_app):
    apps = [app, make_app(), make_app()]
    for number in range(5):
        sign_in(apps[number % 3], "alice", "wrong")
    assert [sign_in(each, "alice").status_code for each in apps] == [401] * 3


def test_slowing_one_account_does_not_slow_another(app, cast):
    fail(app, "alice", 5)
    assert sign_in(app, "bob").status_code == 302


def pass_window(user: Any) -> None:
    """Let the delay of an account be over."""
    db.session.refresh(user)
    changed(user, locked_until=utcnow() - timedelta(seconds=1))


def test_right_password_works_after_the_delay_and_forgets_the_failures(app, cast):
    fail(app, "alice", 5)
    pass_window(cast.alice)
    assert sign_in(app, "alice").status_code == 302
    db.session.refresh(cast.alice)
    assert (cast.alice.fail_login_count, cast.alice.locked_until) == (0, None)
    assert sign_in(app, "alice", "wrong").status_code == 401
    assert sign_in(app, "alice").status_code == 302


def test_delay_grows_with_each_failure_up_to_a_limit(app, cast):
    fail(app, "alice", 5)
    delays = []
    for _ in range(7):
        db.session.refresh(cast.alice)
        delays.append(round((cast.alice.locked_until - utcnow()) / timedelta(seconds=30)) / 2)
        pass_window(cast.alice)
        assert sign_in(app, "alice", "wrong").status_code == 401
    assert delays[:5] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert max(delays) == 15.0


def test_refused_attempts_do_not_prolong_the_delay(app, cast):
    fail(app, "alice", 5)
    db.session.refresh(cast.alice)
    until = cast.alice.locked_until
    fail(app, "alice", 3)
    db.session.refresh(cast.alice)
    assert cast.alice.locked_until == until


def test_right_password_before_the_fifth_failure_forgets_the_failures(app, cast):
    fail(app, "alice", 4)
    sign_in(app, "alice")
    assert [answer.status_code for answer in fail(app, "alice", 4)] == [401] * 4


def test_open_session_goes_on_while_somebody_guesses(app, cast, login):
    client = login("alice")
    fail(app, "alice", 6)
    assert client.get("/todos").status_code == 200


def test_one_address_that_tries_many_accounts_is_slowed(make_app, cast):
    app, ip = make_app(LOGIN_LIMIT="3 per minute"), f"2001:db8::{secrets.token_hex(2)}"
    assert [sign_in(app, f"user{number}", ip=ip).status_code for number in range(5)] == [401] * 3 + [429] * 2
    assert sign_in(app, "alice", ip=ip).status_code == 429
    assert sign_in(app, "alice", ip=f"2001:db8::1:{secrets.token_hex(2)}").status_code == 302


def test_seeing_the_login_page_is_not_an_attempt(make_app, cast):
    app, base = make_app(LOGIN_LIMIT="3 per minute"), {"REMOTE_ADDR": f"2001:db8::2:{secrets.token_hex(2)}"}
    client = app.test_client()
    assert [client.get("/login/", environ_base=base).status_code for _ in range(5)] == [200] * 5


def test_forged_forwarding_header_does_not_make_a_new_address(make_app, cast):
    app, ip = make_app(LOGIN_LIMIT="3 per minute"), f"2001:db8::3:{secrets.token_hex(2)}"
    client, answers = app.test_client(), []
    for number in range(5):
        data, headers = {"username": f"user{number}", "password": "x"}, {"X-Forwarded-For": f"198.51.100.{number}"}
        answers.append(client.send("/login/", data, headers=headers, environ_base={"REMOTE_ADDR": ip}).status_code)
    assert answers == [401] * 3 + [429] * 2


def test_who_is_signed_in_sees_no_login_form(login):
    assert login("alice").get("/login/").location == "/"
