"""How we connect to PostgreSQL: what a pool in between does is tried in tests/deploy/test_pool.py."""

import pytest
from sqlalchemy import text

from app import create_app
from app.db import LOST_AFTER, is_pooled
from app.extensions import db
from tests.conftest import db_dispose, settings


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
