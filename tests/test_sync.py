"""`flask sync`: permissions and roles follow the code, however often and wherever it runs."""

import json

import pytest
from flask_appbuilder.security.sqla.models import PermissionView, Role
from flask_migrate import upgrade
from sqlalchemy import func, select

from app import create_app
from app.cli import sync
from app.extensions import db
from app.security import declared, role_grants
from app.services import permissions
from tests.conftest import db_dispose, settings
from tests.faults.processes import Process, environment


@pytest.fixture
def migrated_only(database, new_database, valkey):
    app = create_app(settings(new_database(database), valkey))
    with app.app_context():
        upgrade()
    yield app
    db_dispose(app)


def grants_in_database() -> dict[str, set[tuple[str, str]]]:
    return {
        role.name: {(pair.permission.name, pair.view_menu.name) for pair in role.permissions}
        for role in db.session.scalars(select(Role))
    }


def test_eight_processes_at_once_leave_every_grant_once(migrated_only, tmp_path):
    environ = environment(migrated_only.config["SQLALCHEMY_DATABASE_URI"], migrated_only.config["REDIS_URL"])
    command = ["-m", "flask", "--app", "run", "sync"]
    processes = [Process(command, environ, tmp_path / f"{number}.log") for number in range(8)]
    assert [process.ended() for process in processes] == [0] * 8, [process.output() for process in processes]
    with migrated_only.app_context():
        everything = declared(migrated_only.appbuilder)
        assert db.session.scalar(select(func.count()).select_from(PermissionView)) == len(everything)
        assert grants_in_database() == role_grants(everything)


def test_second_run_changes_nothing(app):
    result = app.test_cli_runner().invoke(sync)
    assert "0 grants added, 0 removed" in result.output


def test_built_in_role_gets_its_grants_back(app):
    viewer = db.session.scalar(select(Role).where(Role.name == "Viewer"))
    kept = len(viewer.permissions)
    viewer.permissions = viewer.permissions[:3]
    db.session.commit()
    result = app.test_cli_runner().invoke(sync)
    assert f"{kept - 3} grants added, 0 removed" in result.output


def test_rename_keeps_the_grants_of_own_roles(app):
    everything = declared(app.appbuilder)
    old = {(permission, "Task" if on == "Todo" else on) for permission, on in everything}
    permissions.sync(old, {"Todo": "Task"}, {})
    pairs = db.session.scalars(select(PermissionView)).all()
    own = Role(name="Own", permissions=[pair for pair in pairs if pair.view_menu.name == "Task"])
    db.session.add(own)
    db.session.commit()
    db.session.expire_all()
    permissions.sync(everything, {"Task": "Todo"}, role_grants(everything))
    db.session.expire_all()
    found = grants_in_database()["Own"]
    assert found == {grant for grant in everything if grant[1] == "Todo"}


def test_what_nothing_declares_goes(app):
    everything = declared(app.appbuilder)
    permissions.sync(everything | {("can_fly", "Moon")}, {}, {})
    permissions.sync(everything, {}, role_grants(everything))
    names = {(pair.permission.name, pair.view_menu.name) for pair in db.session.scalars(select(PermissionView))}
    assert names == everything


def test_roles_grant_only_what_is_declared(app):
    everything = declared(app.appbuilder)
    with pytest.raises(KeyError):
        role_grants(everything - {("can_export", "Todo")})


def test_dry_run_says_what_would_change_and_changes_nothing(migrated_only):
    runner = migrated_only.test_cli_runner()
    would = json.loads(runner.invoke(sync, ["--dry-run", "--json"]).stdout)
    assert would["added"] > 100
    with migrated_only.app_context():
        assert db.session.scalar(select(func.count()).select_from(PermissionView)) == 0
        db.session.remove()
    assert json.loads(runner.invoke(sync, ["--json"]).stdout) == would
    assert "0 grants added, 0 removed" in runner.invoke(sync, ["--dry-run"]).stdout
