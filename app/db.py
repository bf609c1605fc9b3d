"""Transactions, time stamps and the settings of a SQLite connection."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import Connection, DateTime, Dialect, Engine, String, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from app.extensions import db

UTF8_REMEDY = (
    "Make a database with CREATE DATABASE todos ENCODING 'UTF8' TEMPLATE template0, and restore a backup into it."
)


# a server that is gone without a word, as in a failover, is noticed in half a minute instead of a quarter of an hour
LOST_AFTER = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
PING_SECONDS = 5  # within which a connection has to answer, and a new one to be there


def clock() -> datetime:
    """Ask the machine; the one place that does, so that a test can let it jump."""
    return datetime.now(UTC)


def utcnow() -> datetime:
    """Return the present instant, aware, in UTC."""
    return clock()


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC instant; SQLite, which has no zones, stores it naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; a naive value, such as a generated filter makes of a typed date, is UTC already."""
        if value is None:
            return None
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware instant on both databases."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Timestamps:
    """When a row was created and last changed."""

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)


def upsert(table: Any) -> Any:
    """Return an INSERT of the present database that can be told what to do where a row is there already."""
    return (sqlite if db.engine.dialect.name == "sqlite" else postgresql).insert(table)


class folded(FunctionElement[str]):
    """A text in lower case: SQLite's own lower() knows the letters of ASCII only."""

    type = String()
    inherit_cache = True


@compiles(folded)
def _lower(element: folded, compiler: Any, **kwargs: Any) -> str:
    return f"lower({compiler.process(element.clauses, **kwargs)})"


@compiles(folded, "sqlite")
def _fold(element: folded, compiler: Any, **kwargs: Any) -> str:
    return f"fold({compiler.process(element.clauses, **kwargs)})"


@contextmanager
def transaction() -> Iterator[Session]:
    """Commit at the end of the outermost block, or roll all of it back."""
    session: Any = db.session()
    if "after_commit" in session.info:
        yield session
        return
    waiting: list[Callable[[], Any]] = []
    session.info["after_commit"] = waiting
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        del session.info["after_commit"]
    for callback in waiting:
        callback()


@contextmanager
def held() -> Iterator[Session]:
    """Let no `transaction` within the block commit: whoever calls this does, or rolls all of it back."""
    session: Any = db.session()
    session.info["after_commit"] = []
    try:
        yield session
    finally:
        del session.info["after_commit"]


def hold(session: Any) -> None:
    """Take SQLite's only write lock before reading, so that what is read is still true when it is used."""
    connection = session.connection()
    if connection.dialect.name == "sqlite" and not connection.connection.dbapi_connection.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def take_turns(session: Any, number: int) -> None:
    """Let one transaction at a time go on from here, until it ends: whoever waits sees what the other one did.

    Args:
        session: of the transaction.
        number: names the lock in PostgreSQL; SQLite has but one.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(number)))
    hold(session)


def after_commit(callback: Callable[[], Any]) -> None:
    """Call something once the present transaction is committed, at once outside of one, never if it is rolled back."""
    waiting = db.session().info.get("after_commit")
    if waiting is None:
        callback()
    else:
        waiting.append(callback)


def engine_options(uri: str) -> dict[str, Any]:
    """Return the engine's options for the database at `uri`; what people typed stays out of error messages."""
    common = {"hide_parameters": True}
    if uri.startswith("sqlite"):
        # IMMEDIATE takes the write lock at the first write: a lock taken later, after a read, cannot wait for its turn
        return common | {"connect_args": {"timeout": 30, "isolation_level": "IMMEDIATE"}}
    return {
        "hide_parameters": True,
        "pool_pre_ping": True,
        "pool_recycle": 1800,
        "connect_args": {"connect_timeout": PING_SECONDS, "client_encoding": "utf8"} | LOST_AFTER,
    }


def lone_engine() -> Engine:
    """Return an engine as the application's, but without a pool: each connection is the caller's own and is closed."""
    known = engine_options(db.engine.url.render_as_string(hide_password=False))
    options = {name: value for name, value in known.items() if not name.startswith("pool_")}
    return create_engine(db.engine.url, poolclass=NullPool, **options)


def encoding(connection: Connection) -> str:
    """Return PostgreSQL's encoding if it is not the one that we need; SQLite has no other."""
    if connection.dialect.name != "postgresql":
        return ""
    found = str(connection.exec_driver_sql("SHOW server_encoding").scalar())
    return "" if found == "UTF8" else found


def knows_letters(connection: Connection) -> bool:
    """Tell whether PostgreSQL's locale knows the small letter of each capital one; SQLite is taught it below."""
    return connection.dialect.name != "postgresql" or connection.exec_driver_sql("SELECT lower('Ö')").scalar() == "ö"


def init_app(app: Flask) -> None:
    """Give the application its engine; nothing connects yet."""
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(app.config["SQLALCHEMY_DATABASE_URI"])
    db.init_app(app)
    with app.app_context():
        event.listen(db.engine, "connect", _set_sqlite_pragmas)
        event.listen(db.engine, "connect", _prepare_nothing_in_a_pool)
        if db.engine.dialect.name == "postgresql":
            _ping_in_time(db.engine.dialect)


def _set_sqlite_pragmas(connection: Any, _record: Any) -> None:
    """Enforce foreign keys, let readers go on while somebody writes, and teach it all letters."""
    if isinstance(connection, sqlite3.Connection):
        for pragma in ("foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("fold", 1, lambda text: text and text.lower(), deterministic=True)


def _ping_in_time(dialect: Any) -> None:
    """Give up a pooled connection that does not answer: a database that hangs would keep all threads of web."""
    ping = dialect.do_ping

    def bounded(connection: Any) -> bool:
        connection.wait = partial(connection.wait, timeout=PING_SECONDS)
        try:
            return bool(ping(connection))
        except psycopg.Error:
            connection.close()  # by which the pool knows that it needs another one
            raise
        finally:
            del connection.wait

    dialect.do_ping = bounded


def is_pooled(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether a PgBouncer, or another pool of its kind, stands between us and PostgreSQL.

    It announces a process to us that is none of PostgreSQL's: each transaction may run in another one.
    """
    [process] = connection.execute("SELECT pg_backend_pid()").fetchone() or [0]
    connection.rollback()
    return bool(process != connection.info.backend_pid)


def _prepare_nothing_in_a_pool(connection: Any, _record: Any) -> None:
    """Let the driver prepare no statements where another process of PostgreSQL may be asked to run them."""
    if isinstance(connection, psycopg.Connection) and is_pooled(connection):
        connection.prepare_threshold = None
