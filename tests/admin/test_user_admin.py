"""The generated screens of people: nobody gives more than they have, and one admin always remains."""

from typing import Any

import pytest
from flask_appbuilder.security.sqla.models import Permission, PermissionView, Role, ViewMenu
from sqlalchemy import func, select
from werkzeug.security import check_password_hash

from app.db import transaction
from app.extensions import db
from app.models import User
from app.security import ROLES
from tests.factories import PASSWORD, create_user

STRONG = "seven quiet otters juggle lemons"
NEW = {"username": "erin", "first_name": "Erin", "last_name": "Ray", "email": "erin@example.org", "password": STRONG}


@pytest.fixture
def helpdesk(app, cast) -> Any:
    """The browser of somebody who manages people and nothing else, beside being a Member."""
    wanted = ["can_list", "can_show", "can_add", "can_edit"]
    pairs = select(PermissionView).join(Permission).join(ViewMenu)
    found = db.session.scalars(pairs.where(Permission.name.in_(wanted), ViewMenu.name == "User")).all()
    with transaction() as session:
        session.add(Role(name="Helpdesk", permissions=list(found)))
    user = create_user("hal", "Helpdesk")
    with transaction():
        user.roles = [*user.roles, role("Member")]
    return app.test_client().sign_in(user)


def role(name: str) -> Role:
    """Return a role by name."""
    return db.session.scalar(select(Role).where(Role.name == name))


def form(user: User, **changes: Any) -> dict[str, Any]:
    """Return the form of a user as it would be sent unchanged, with changes."""
    facts = {name: getattr(user, name) for name in ("username", "first_name", "last_name", "email")}
    facts |= {"roles": [found.name for found in user.roles], "active": "y" if user.active else ""} | changes
    return {name: value for name, value in facts.items() if value != ""}


def roles_of(user: User) -> set[str]:
    """Return the names of somebody's roles, read afresh."""
    db.session.rollback()
    db.session.refresh(user)
    return {found.name for found in user.roles}


def edit(client: Any, user: User, **changes: Any) -> Any:
    """Send the form of a user."""
    return client.send(f"/admin/users/edit/{user.id}", form(user, **changes))


def test_admin_adds_a_person_with_roles(app, login):
    assert login("ada").send("/admin/users/add", NEW | {"roles": ["Member", "Viewer"]}).status_code == 302
    erin = db.session.scalar(select(User).where(User.username == "erin"))
    assert roles_of(erin) == {"Member", "Viewer"}
    assert app.test_client().send("/login/", {"username": "erin", "password": STRONG}).status_code == 302


def test_person_needs_existing_roles(login, cast):
    for roles in ([], ["Nobody"], ["Member", "Nobody"], [""], ["admin"], ["1"]):
        assert login("ada").send("/admin/users/add", NEW | {"roles": roles}).status_code == 400
        assert edit(login("ada"), cast.alice, roles=roles).status_code == 400
    assert roles_of(cast.alice) == {"Member"}
    assert db.session.scalar(select(User).where(User.username == "erin")) is None


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
def test_taken_names_and_addresses_are_refused_in_any_case(login, cast, taken):
    before = db.session.scalar(select(func.count()).select_from(User))
    client = login("ada")
    assert client.send("/admin/users/add", NEW | {"roles": "Member"} | taken).status_code in (400, 409)
    assert edit(client, cast.bob, **taken).status_code in (400, 409)
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(User)) == before
    db.session.refresh(cast.bob)
    assert (cast.bob.username, cast.bob.email) == ("bob", "bob@example.org")


def test_form_ignores_fields_that_it_does_not_show(login, cast):
    db.session.refresh(cast.alice)
    stamp, created = cast.alice.session_stamp, cast.alice.created_on
    more = {"id": 999, "password": "x", "session_stamp": "x", "login_count": 9, "fail_login_count": 9, "groups": 1}
    edit(login("ada"), cast.alice, **more, first_name="Alicia", created_on="2001-01-01", time_zone="Mars")
    db.session.refresh(cast.alice)
    assert (cast.alice.first_name, cast.alice.session_stamp, cast.alice.time_zone) == ("Alicia", stamp, "UTC")
    assert (cast.alice.login_count, cast.alice.fail_login_count, cast.alice.created_on) == (None, None, created)
    assert check_password_hash(cast.alice.password, PASSWORD)


@pytest.mark.parametrize("changes", [{"roles": ["Member"]}, {"active": ""}, {"roles": ["Manager"], "active": ""}])
def test_last_admin_stays_admin_and_active(login, cast, changes):
    answer = edit(login("ada"), cast.ada, **changes)
    assert answer.status_code == 403
    assert "last active admin" in answer.text
    assert roles_of(cast.ada) == {"Admin"}
    assert cast.ada.active


def test_inactive_admin_does_not_count_as_another_one(login, cast):
    other = create_user("old", "Admin")
    with transaction():
        other.active = False
    assert edit(login("ada"), cast.ada, active="").status_code == 403
    assert roles_of(cast.ada) == {"Admin"}


@pytest.mark.parametrize("changes", [{"roles": ["Member"]}, {"active": ""}])
def test_one_of_two_admins_may_step_down_but_not_both(login, cast, changes):
    create_user("second", "Admin")
    assert edit(login("ada"), cast.ada, **changes).status_code == 302
    second = db.session.scalar(select(User).where(User.username == "second"))
    client = login("ada").application.test_client().sign_in(second)
    assert edit(client, second, **changes).status_code == 403


@pytest.mark.parametrize("name", ["charlie", "alice", "vera", "max"])
def test_nobody_without_the_right_changes_people(login, cast, name):
    client = login(name)
    assert edit(client, cast.charlie, roles=["Admin"]).status_code == 403
    assert client.send("/admin/users/add", NEW | {"roles": "Admin"}).status_code == 403
    assert client.send(f"/admin/users/password/{cast.ada.id}", {"password": STRONG}).status_code == 403
    assert roles_of(cast.charlie) == {"Member"}


@pytest.mark.parametrize("name", ["Admin", "Manager", "Viewer"])
def test_helpdesk_cannot_give_a_role_that_may_do_more(helpdesk, cast, name):
    answer = edit(helpdesk, cast.charlie, roles=["Member", name])
    assert answer.status_code == 403
    assert roles_of(cast.charlie) == {"Member"}


def test_helpdesk_cannot_give_itself_more(helpdesk, cast):
    hal = db.session.scalar(select(User).where(User.username == "hal"))
    assert edit(helpdesk, hal, roles=["Member", "Helpdesk", "Admin"]).status_code == 403
    assert roles_of(hal) == {"Member", "Helpdesk"}


@pytest.mark.parametrize("name", ["Admin", "Manager"])
def test_helpdesk_cannot_add_somebody_who_may_do_more(helpdesk, name):
    assert helpdesk.send("/admin/users/add", NEW | {"roles": ["Member", name]}).status_code == 403
    assert db.session.scalar(select(User).where(User.username == "erin")) is None


@pytest.mark.parametrize("name", ["ada", "max"])
def test_helpdesk_cannot_set_the_password_of_somebody_who_may_do_more(helpdesk, cast, name):
    user = getattr(cast, name)
    assert helpdesk.send(f"/admin/users/password/{user.id}", {"password": STRONG}).status_code == 403
    db.session.refresh(user)
    assert check_password_hash(user.password, PASSWORD)


@pytest.mark.parametrize("changes", [{"roles": ["Member"]}, {"active": ""}, {"email": "hal2@example.org"}])
def test_helpdesk_cannot_change_somebody_who_may_do_more(helpdesk, cast, changes):
    create_user("second", "Admin")
    assert edit(helpdesk, cast.ada, **changes).status_code == 403
    assert roles_of(cast.ada) == {"Admin"}
    assert (cast.ada.active, cast.ada.email) == (True, "ada@example.org")


def test_helpdesk_helps_members(helpdesk, cast):
    assert edit(helpdesk, cast.charlie, first_name="Charles").status_code == 302
    assert helpdesk.send(f"/admin/users/password/{cast.charlie.id}", {"password": STRONG}).status_code == 302
    assert helpdesk.send("/admin/users/add", NEW | {"roles": "Member"}).status_code == 302
    db.session.refresh(cast.charlie)
    assert cast.charlie.first_name == "Charles"
    assert check_password_hash(cast.charlie.password, STRONG)


def test_nobody_is_deleted(login, cast):
    client = login("ada")
    assert client.send(f"/admin/users/delete/{cast.alice.id}").status_code in (404, 405)
    answer = client.send("/admin/users/action_post", {"action": "muldelete", "rowid": cast.alice.id})
    assert answer.status_code == 404
    assert db.session.scalar(select(User.id).where(User.id == cast.alice.id))


@pytest.mark.parametrize("word", ["show", "edit", "password"])
def test_impossible_ids_are_nobody(login, word):
    client, found = login("ada"), {}
    for pk in ("0", "99999999", str(2**31), str(2**63), "9" * 5000, "x", "-1"):
        found[pk[:20]] = client.get(f"/admin/users/{word}/{pk}").status_code
    assert found == dict.fromkeys(found, 404)


def test_no_screen_shows_a_hash_or_a_stamp(login, cast):
    db.session.refresh(cast.alice)
    client = login("ada")
    for path in ("list/", f"show/{cast.alice.id}", f"edit/{cast.alice.id}", f"password/{cast.alice.id}", "add"):
        page = client.get(f"/admin/users/{path}").text
        assert cast.alice.password not in page
        assert cast.alice.session_stamp not in page
        assert "pbkdf2" not in page


def test_all_built_in_roles_but_public_are_offered(login):
    page = login("ada").get("/admin/users/add").text
    assert {name for name in ROLES if f'value="{name}"' in page} == {*ROLES} - {"Public"}
