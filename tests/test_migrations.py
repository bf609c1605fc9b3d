"""The schema: made by Alembic alone, on both databases, up and down."""

from contextvars import Context

import pytest
from flask_appbuilder import Model
from flask_migrate import downgrade, upgrade
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from app import create_app
from app.extensions import db
from tests.conftest import db_dispose, migrate, settings
from tests.faults.processes import Process, environment


@pytest.fixture
def fresh(database, new_database):
    uri = new_database(database)
    app = create_app(settings(uri))
    yield app
    db_dispose(app)


def tables(app) -> set[str]:
    engine = create_engine(app.config["SQLALCHEMY_DATABASE_URI"], poolclass=NullPool)
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_upgrade_makes_every_table_and_downgrade_removes_all(fresh):
    with fresh.app_context():
        upgrade()
        assert tables(fresh) == set(Model.metadata.tables) | {"alembic_version"}
        downgrade(revision="base")
        assert tables(fresh) == {"alembic_version"}
        upgrade()
        assert set(Model.metadata.tables) <= tables(fresh)


@pytest.mark.parametrize(("left", "ready"), [("a newer version's", 200), ("none", 503)])
def test_old_code_serves_on_while_the_next_version_has_migrated(fresh, left, ready):
    """In a rolling update old and new processes share one schema; an empty one is nobody's."""
    with fresh.app_context():
        upgrade()
        db.session.execute(text("UPDATE alembic_version SET version_num = 'of_the_future'"))
        if left == "none":
            db.session.execute(text("DELETE FROM alembic_version"))
        db.session.commit()
        db.session.remove()
    assert Context().run(fresh.test_client().get, "/health/ready").status_code == ready


def test_models_and_schema_agree(fresh):
    migrate(fresh)
    result = fresh.test_cli_runner().invoke(args=["db", "check"])
    assert result.exit_code == 0, result.output


def test_building_the_application_runs_no_statement(database, new_database, monkeypatch):
    config = settings(new_database(database))

    def refuse(*_args, **_kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(Engine, "connect", refuse)
    monkeypatch.setattr(Engine, "raw_connection", refuse)
    create_app(config)


def test_two_applications_live_in_one_process(database, new_database):
    first, second = (create_app(settings(new_database(database))) for _ in range(2))
    for app in (first, second):
        migrate(app)
        assert Context().run(app.test_client().get, "/health/ready").json["status"] == "ready"
    assert first.extensions["celery"] is not second.extensions["celery"]
    assert first.appbuilder.baseviews is not second.appbuilder.baseviews
    for app in (first, second):
        db_dispose(app)


def test_upgrades_at_once_make_one_schema(fresh, tmp_path):
    environ = environment(fresh.config["SQLALCHEMY_DATABASE_URI"], fresh.config["REDIS_URL"])
    command = ["-m", "flask", "--app", "run", "db", "upgrade"]
    running = [Process(command, environ, tmp_path / f"{number}.log") for number in range(3)]
    assert [process.ended() for process in running] == [0] * 3, [process.output() for process in running]
    assert set(Model.metadata.tables) <= tables(fresh)
