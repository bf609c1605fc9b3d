"""The generated screens of roles: the built-in ones stay as they are, copies can be changed."""

from typing import Any

import pytest
from flask_appbuilder.security.sqla.models import Permission, PermissionView, Role, ViewMenu
from sqlalchemy import func, select

from app.db import transaction
from app.extensions import db
from app.security import ROLES
from tests.factories import create_user


def role(name: str) -> Role | None:
    """Return a role by name, read afresh."""
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalar(select(Role).where(Role.name == name))


def grants(name: str) -> set[tuple[str, str]]:
    """Return what a role grants."""
    return {(pair.permission.name, pair.view_menu.name) for pair in role(name).permissions}


def pair(permission: str, on: str) -> int:
    """Return the id of a grant."""
    statement = select(PermissionView.id).join(Permission).join(ViewMenu)
    return db.session.scalar(statement.where(Permission.name == permission, ViewMenu.name == on))


def count() -> int:
    """Return how many roles there are."""
    return db.session.scalar(select(func.count()).select_from(Role))


@pytest.mark.parametrize("name", sorted(ROLES))
def test_built_in_roles_are_neither_edited_nor_renamed_nor_deleted(login, name):
    before, pk = grants(name), role(name).id
    client = login("ada")
    for data in ({"name": name}, {"name": "Renamed"}, {"name": name, "permissions": pair("can_edit", "User")}):
        answer = client.send(f"/admin/roles/edit/{pk}", data)
        assert answer.status_code == 403
        assert "is built in. Copy it" in answer.text
    assert client.send(f"/admin/roles/delete/{pk}").status_code == 403
    assert grants(name) == before


def test_admin_makes_changes_and_deletes_a_role(login):
    client = login("ada")
    grant = pair("can_list", "Todo")
    assert client.send("/admin/roles/add", {"name": " Archivist ", "permissions": grant}).status_code == 302
    assert grants("Archivist") == {("can_list", "Todo")}
    pk = role("Archivist").id
    data = {"name": "Librarian", "permissions": [grant, pair("can_show", "Todo")]}
    assert client.send(f"/admin/roles/edit/{pk}", data).status_code == 302
    assert grants("Librarian") == {("can_list", "Todo"), ("can_show", "Todo")}
    assert client.send(f"/admin/roles/delete/{pk}").status_code == 302
    assert role("Librarian") is None


@pytest.mark.parametrize("name", ["Member", "Archivist"])
def test_two_roles_never_have_one_name(login, name):
    client = login("ada")
    client.send("/admin/roles/add", {"name": "Archivist"})
    client.send("/admin/roles/add", {"name": "Other"})
    before = count()
    assert client.send("/admin/roles/add", {"name": name}).status_code in (400, 409)
    assert client.send(f"/admin/roles/edit/{role('Other').id}", {"name": name}).status_code in (400, 409)
    assert count() == before


def test_unusable_names_are_refused(login):
    before, client = count(), login("ada")
    found = {
        name: client.send("/admin/roles/add", {"name": name}).status_code for name in ("", "   ", "a\x00b", "x" * 65)
    }
    assert found == dict.fromkeys(found, 400)
    assert count() == before


def test_unknown_grants_are_refused(login):
    before, client = count(), login("ada")
    for grant in ("x", "-1", "0", "99999999", str(2**31), str(2**63), "", "9" * 5000):
        data = {"name": "Archivist", "permissions": [pair("can_list", "Todo"), grant]}
        assert client.send("/admin/roles/add", data).status_code == 400
    assert count() == before


def test_role_that_somebody_has_is_not_deleted(login, cast):
    client = login("ada")
    client.send("/admin/roles/add", {"name": "Archivist"})
    user = create_user("arno", "Archivist")
    answer = client.send(f"/admin/roles/delete/{role('Archivist').id}")
    assert answer.status_code == 409
    assert "Take it from them first" in answer.text
    assert [found.name for found in user.roles] == ["Archivist"]


def test_copies_have_names_of_their_own_and_the_same_grants(login):
    client, pk = login("ada"), role("Viewer").id
    for _ in range(3):
        assert client.send(f"/admin/roles/action/copy/{pk}").status_code == 302
    for name in ("Viewer copy", "Viewer copy 2", "Viewer copy 3"):
        assert grants(name) == grants("Viewer")


def test_copy_of_a_role_with_a_long_name_fits(login):
    client = login("ada")
    client.send("/admin/roles/add", {"name": "x" * 64})
    for _ in range(2):
        assert client.send(f"/admin/roles/action/copy/{role('x' * 64).id}").status_code == 302


def test_change_of_a_role_counts_at_the_next_request(app, login, cast):
    admin = login("ada")
    admin.send("/admin/roles/add", {"name": "Archivist", "permissions": pair("can_list", "Todo")})
    client = app.test_client().sign_in(create_user("arno", "Archivist"))
    assert client.get("/todos").status_code == 200
    admin.send(f"/admin/roles/edit/{role('Archivist').id}", {"name": "Archivist"})
    assert client.get("/todos").status_code == 403


@pytest.fixture
def keeper(app, cast) -> Any:
    """The browser of somebody who manages roles and nothing else."""
    wanted = ["can_list", "can_show", "can_add", "can_edit", "can_delete"]
    pairs = select(PermissionView).join(Permission).join(ViewMenu)
    found = db.session.scalars(pairs.where(Permission.name.in_(wanted), ViewMenu.name == "Role")).all()
    with transaction() as session:
        session.add(Role(name="Keeper", permissions=list(found)))
    return app.test_client().sign_in(create_user("kim", "Keeper"))


def test_keeper_of_roles_cannot_put_more_into_the_own_role(keeper):
    data = {"name": "Keeper", "permissions": [pair("can_edit", "Role"), pair("can_edit", "User")]}
    assert keeper.send(f"/admin/roles/edit/{role('Keeper').id}", data).status_code == 403
    assert ("can_edit", "User") not in grants("Keeper")


def test_keeper_of_roles_cannot_make_a_role_that_may_do_more(keeper):
    data = {"name": "Master", "permissions": [pair("can_edit", "User")]}
    assert keeper.send("/admin/roles/add", data).status_code == 403
    assert role("Master") is None


def test_keeper_of_roles_makes_roles_of_the_own_rights(keeper):
    data = {"name": "Deputy", "permissions": [pair("can_list", "Role")]}
    assert keeper.send("/admin/roles/add", data).status_code == 302
    assert grants("Deputy") == {("can_list", "Role")}


@pytest.mark.parametrize("name", ["charlie", "alice", "vera", "max"])
def test_nobody_else_sees_or_makes_roles(login, cast, name):
    client, pk = login(name), role("Member").id
    assert client.get("/admin/roles/list/").status_code == 403
    assert client.get("/admin/permissions/list/").status_code == 403
    assert client.send("/admin/roles/add", {"name": "Mine"}).status_code == 403
    assert client.send(f"/admin/roles/action/copy/{pk}").status_code == 403
    assert role("Mine") is None


def test_permissions_are_only_listed(login):
    client = login("ada")
    for path in ("add", "edit/1", "delete/1", "show/1"):
        assert client.get(f"/admin/permissions/{path}").status_code == 404
        assert client.send(f"/admin/permissions/{path}").status_code == 404


def test_permissions_are_found_by_either_name(login):
    client = login("ada")
    for query in ("lookup", "Person"):
        assert "can lookup" in client.get(f"/admin/permissions/list/?q={query}").text.replace("_", " ")
