"""Run migrations over the one metadata of Flask-AppBuilder's tables and ours, one process at a time."""

import time
from typing import Any

from alembic import context
from flask_appbuilder import Model
from sqlalchemy import Connection, DateTime, text

import app.models  # noqa: F401, makes the metadata whole
from app.db import UTF8_REMEDY, UtcDateTime, encoding, is_pooled, lone_engine
from app.errors import Conflict
from app.extensions import db

# columns that came later with a key of their own: SQLAlchemy reads no ON DELETE from SQLite's definition of those
ADDED_KEYS = {("todos", "deleted_by_id")}
LOCK_SECONDS = 5
WAIT_SECONDS = 0.2
POOLED = (
    "SQLALCHEMY_DATABASE_URI leads through a connection pool such as PgBouncer, where a lock could outlive the "
    "migration: give this command the address of PostgreSQL itself."
)
MIGRATION_LOCK = 0x70D06  # an arbitrary number that names the lock in PostgreSQL


def render(kind: str, item: Any, _context: Any) -> str | bool:
    """Write our own column type as the type it is in the database."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def same_type(_context: Any, _column: Any, _found: Any, wanted: Any, _other: Any) -> bool | None:
    """Compare our own column type as the type it is in the database."""
    return False if isinstance(wanted, UtcDateTime) and isinstance(_other, DateTime) else None


def ours_to_compare(item: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
    """Leave out what models cannot say: the indexes over lower(...), which SQLite does not report either."""
    if kind == "foreign_key_constraint" and db.engine.dialect.name == "sqlite":
        return {(item.table.name, column.name) for column in item.columns}.isdisjoint(ADDED_KEYS)
    return not (kind == "index" and (name or "").startswith("uq_lower_"))


def lock(connection: Connection) -> None:
    """Wait until no other process migrates; the lock ends with the connection, or on SQLite with the transaction.

    Afterwards no statement waits long for a lock: those who come after it would wait as well, and the site with them.
    """
    if connection.dialect.name == "postgresql":
        # who waits inside a statement would be waited for by an index that is built concurrently
        while not connection.scalar(text(f"SELECT pg_try_advisory_lock({MIGRATION_LOCK})")):
            connection.commit()
            time.sleep(WAIT_SECONDS)
        connection.execute(text(f"SET lock_timeout = '{LOCK_SECONDS}s'"))
        connection.commit()  # a migration may build an index outside of a transaction: see docs/contribute.md
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def check(connection: Connection) -> None:
    """Refuse a database that could not store what people write, and one that we do not have to ourselves.

    Raises:
        Conflict: saying what to do.
    """
    if wrong := encoding(connection):
        raise Conflict(f"This database is encoded in {wrong}, which cannot store most letters. {UTF8_REMEDY}")
    if connection.dialect.name == "postgresql" and is_pooled(connection.connection.dbapi_connection):
        raise Conflict(POOLED)


def offline() -> None:
    """Print the statements instead of running them: `flask db upgrade --sql`."""
    context.configure(url=str(db.engine.url), target_metadata=Model.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def online() -> None:
    """Run the migrations, on SQLite in one transaction, on PostgreSQL in one for each."""
    engine = lone_engine() if db.engine.dialect.name == "postgresql" else db.engine
    with engine.connect() as connection:
        check(connection)
        lock(connection)
        context.configure(
            connection=connection,
            target_metadata=Model.metadata,
            render_item=render,
            compare_type=same_type,
            include_object=ours_to_compare,
            render_as_batch=connection.dialect.name == "sqlite",
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


if context.is_offline_mode():
    offline()
else:
    online()
