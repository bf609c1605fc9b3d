"""Somebody stays who may do everything, and other sessions end when what one may do changes."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import time

import pytest
from flask_appbuilder.security.sqla.models import Group, Role
from sqlalchemy import delete, select

from app.db import transaction
from app.errors import AppError, Denied
from app.extensions import db
from app.models import AuditEntry, User
from app.services import users_access, users_accounts, users_leaving, users_rank
from app.services.permissions import load_user
from tests.factories import PASSWORD, create_user


def facts(user) -> dict[str, str]:
    return {name: getattr(user, name) for name in ("username", "email", "first_name", "last_name")}


def join(user, role: str) -> None:
    """Give somebody a role through a group."""
    with transaction() as session:
        found = session.scalar(select(Role).where(Role.name == role))
        session.add(Group(name=f"Those with {role}", label="", description="", roles=[found], users=[user]))


@pytest.fixture
def groups(app):
    yield
    db.session.rollback()
    with transaction() as session:
        session.execute(delete(Group))


def test_last_admin_cannot_be_demoted_deactivated_or_removed(cast, viewer):
    ada = viewer("ada")
    for change in (
        lambda: users_accounts.administer(ada, cast.ada, ["Member"], True, **facts(cast.ada)),
        lambda: users_accounts.administer(ada, cast.ada, ["Admin"], False, **facts(cast.ada)),
        lambda: users_access.set_active("ada", False),
        lambda: users_leaving.deactivate(cast.ada),
    ):
        with pytest.raises(Denied, match="last active admin"):
            change()
    found = db.session.get(User, cast.ada.id, populate_existing=True)
    assert found.active
    assert [role.name for role in found.roles] == ["Admin"]


def test_admin_through_a_group_counts(cast, viewer, groups):
    join(cast.bob, "Admin")
    users_accounts.administer(viewer("ada"), cast.ada, ["Member"], True, **facts(cast.ada))
    assert users_rank.is_last_admin(cast.bob)
    with pytest.raises(Denied, match="last active admin"):
        users_leaving.deactivate(cast.bob)


def test_rank_through_a_group_counts(cast, viewer, groups):
    join(cast.bob, "Admin")
    with pytest.raises(Denied, match="may do more than you"):
        users_accounts.reset_password(viewer("max"), cast.bob, "a quite different phrase")
    with pytest.raises(Denied, match="may do more than you"):
        users_leaving.check(viewer("max"), cast.bob)


def test_two_admins_who_demote_each_other_leave_one(app, cast):
    eve = create_user("eve", "Admin")
    pairs, barrier = [(cast.ada.id, eve.id), (eve.id, cast.ada.id)], Barrier(2)

    def demote(by: int, whom: int) -> bool:
        with app.app_context():
            viewer, user = load_user(by), db.session.get(User, whom)
            barrier.wait()
            try:
                users_accounts.administer(viewer, user, ["Member"], True, **facts(user))
            except AppError:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        done = [future.result() for future in [pool.submit(demote, *pair) for pair in pairs]]
    assert sorted(done) == [False, True]
    db.session.rollback()
    assert len(list(db.session.scalars(select(User.id).where(users_rank._is_admin())))) == 1


@pytest.mark.parametrize("change", ["password", "role", "active", "everywhere"])
def test_every_session_ends_at_once(login, cast, viewer, change):
    first, second = login("bob"), login("bob")
    assert first.get("/todos").status_code == second.get("/todos").status_code == 200
    if change == "password":
        form = {"old": PASSWORD, "new": "a quite different phrase"}
        assert first.send("/profile/password", form).status_code == 302
        assert first.get("/todos").status_code == 200
    elif change == "everywhere":
        assert first.send("/profile/sessions").status_code == 302
        assert first.get("/todos").status_code == 302
    else:
        roles = ["Viewer"] if change == "role" else ["Member"]
        users_accounts.administer(viewer("ada"), cast.bob, roles, change != "active", **facts(cast.bob))
        assert first.get("/todos").status_code == 302
    assert second.get("/todos").status_code == 302
    actions = set(db.session.scalars(select(AuditEntry.action).filter_by(entity="user", row_id=cast.bob.id)))
    wanted = {"password": "password_changed", "role": "roles_changed", "active": "deactivated"}
    assert wanted.get(change, "sessions_ended") in actions


def test_right_lost_with_a_group_is_gone_at_the_next_request(login, cast, groups):
    join(cast.bob, "Admin")
    client = login("bob")
    assert client.get("/admin/users/list/").status_code == 200
    with transaction() as session:
        group = session.scalar(select(Group))
        group.users.remove(cast.bob)
    assert client.get("/admin/users/list/").status_code == 403


def test_session_ends_after_so_many_days_however_often_it_is_used(login):
    client = login("alice")
    assert client.get("/todos").status_code == 200
    for days, status in ((29, 200), (31, 302)):
        with client.session_transaction() as session:
            session["begun"] = int(time()) - days * 86_400
        assert client.get("/todos").status_code == status
