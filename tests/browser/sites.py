"""Running sites: gunicorn and a Celery worker as in production, with and without a prefix."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals
from socket import socket
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from flask import Flask
from sqlalchemy import select

from app import create_app
from app.extensions import db
from app.models import User
from config import ROOT
from tests.conftest import PREFIX, db_dispose, migrate, settings
from tests.factories import create_todo, create_user
from tools.valkey import Server as Valkey

DATABASE_OF = {"": "sqlite", PREFIX: "postgresql"}
START_SECONDS = 60
STOP_SECONDS = 30
# for what no prefix and no database can change
ONE_SITE = pytest.mark.parametrize("site", [""], indirect=True, ids=["no prefix"])


@dataclass
class Site:
    """A running site, and an application over the same database in this process, to make rows with."""

    url: str
    app: Flask
    logs: list[Path]
    # lists go by names and tests look for them: name10 is neither before name9 nor within name1
    numbers: Iterator[int] = field(default_factory=lambda: count(100))

    def add_person(self, role: str = "Member", **facts: Any) -> str:
        """Add a user and return the username, which no other test uses."""
        username = f"{role.lower()}{next(self.numbers)}"
        with self.app.app_context():
            create_user(username, role, **facts)
        return username

    def add_todo(self, owner: str, title: str, **fields: Any) -> int:
        """Add a todo and return its id."""
        with self.app.app_context():
            return create_todo(find(owner), title, **fields).id

    def tail(self) -> str:
        """Return the ends of the logs."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-5000:]}" for log in self.logs if log.exists()
        )


def find(username: str) -> User:
    """Return a user within an application's context."""
    return db.session.scalars(select(User).where(User.username == username)).one()


@contextmanager
def serve(prefix: str, uri: str, folder: Path) -> Iterator[Site]:
    """Run gunicorn and a worker over an empty database, which is migrated first."""
    name, port = DATABASE_OF[prefix], free_port()
    with Valkey(folder / f"{name}.sock", folder) as valkey:
        environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ} | {
            "APP_ENV": "production",
            "SECRET_KEY": "0123456789abcdef0123456789abcdef",
            "SQLALCHEMY_DATABASE_URI": uri,
            "REDIS_URL": valkey.url,
            "SCRIPT_NAME": prefix,
            "PORT": str(port),
            "WEB_CONCURRENCY": "2",
            "WORKER_CONCURRENCY": "1",
            "SESSION_COOKIE_SECURE": "0",
            "REGISTRATION_ENABLED": "1",
            "LOGIN_LIMIT": "1000 per minute",
        }
        app = create_app(settings(uri, valkey, SCRIPT_NAME=prefix))
        migrate(app)
        logs = [folder / f"{name}-{part}.log" for part in ("web", "worker")]
        site = Site(f"http://127.0.0.1:{port}{prefix}", app, logs)
        with (
            running(["celery", "-A", "run", "worker"], environ, logs[1], SIGTERM),
            running(["gunicorn", "run:app"], environ, logs[0], SIGINT) as web,
        ):
            wait_for(site, web)
            yield site
        db_dispose(app)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(command: list[str], environ: dict[str, str], log: Path, end: Signals) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Python module as a process of its own, which ends by a signal."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environ, stdout=out, stderr=out, start_new_session=True
        )
        try:
            yield process
        finally:
            process.send_signal(end)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(site: Site, process: subprocess.Popen[bytes]) -> None:
    """Wait until the site answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"{site.url}/health/ready", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"The site did not start.\n{site.tail()}")
