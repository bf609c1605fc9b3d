"""How we connect to PostgreSQL: what a pool in between does is tried in tests/deploy/test_pool.py."""

import os
import signal
from threading import Timer

import pytest
from sqlalchemy import text

from app import create_app
from app.db import LOST_AFTER, is_pooled
from app.extensions import db
from tests.conftest import db_dispose, settings
from tests.faults.processes import PATIENCE


@pytest.fixture
def connection(new_database):
    """A connection of the application's to PostgreSQL, as the driver has it."""
    app = create_app(settings(new_database("postgresql")))
    with app.app_context(), db.engine.connect() as found:
        found.execute(text("SELECT 1"))
        yield found.connection.driver_connection
    db_dispose(app)


def test_server_that_goes_without_a_word_is_noticed_soon(connection):
    given = connection.info.get_parameters()
    assert {name: given.get(name) for name in LOST_AFTER} == {name: str(value) for name, value in LOST_AFTER.items()}
    assert int(given["connect_timeout"]) <= 10


def test_statements_are_prepared_where_postgresql_itself_is_at_the_other_end(connection):
    connection.rollback()
    assert not is_pooled(connection)
    assert connection.prepare_threshold is not None
    for _ in range(connection.prepare_threshold + 1):
        connection.execute("SELECT %s::int", [1])
    assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()[0] > 0


@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="processes of another machine are not ours to stop")
def test_pooled_connection_that_hangs_is_given_up(new_database, monkeypatch):
    monkeypatch.setattr("app.db.PING_SECONDS", 0.5)
    app = create_app(settings(new_database("postgresql")))
    with app.app_context():
        [hanging] = db.session.execute(text("SELECT pg_backend_pid()")).scalars()
        db.session.remove()
        os.kill(hanging, signal.SIGSTOP)
        rescue = Timer(PATIENCE, os.kill, (hanging, signal.SIGCONT))
        rescue.start()
        try:
            [answering] = db.session.execute(text("SELECT pg_backend_pid()")).scalars()
        finally:
            rescue.cancel()
            os.kill(hanging, signal.SIGCONT)
        db.session.remove()
        assert answering != hanging
        assert db.session.execute(text("SELECT pg_backend_pid()")).scalar() == answering
    db_dispose(app)
