"""Liveness of containers: a process that hangs is told from one that waits for what is not there."""

import os
import signal
import time
from pathlib import Path

import pytest
from redis import Redis

from app import create_app
from tests.conftest import db_dispose, migrate, settings
from tests.faults.processes import PATIENCE, Process, environment, wait_until
from tools.health import STALE_SECONDS
from tools.valkey import Server

LONG_AGO = STALE_SECONDS * 2


@pytest.fixture
def probe(tmp_path):
    """Returns a function that asks as the probe of a container does: its exit code and what it says."""

    def ask(environ):
        process = Process(["-m", "tools.health"], environ, tmp_path / "probe")
        return process.popen.wait(PATIENCE), process.output()

    return ask


@pytest.fixture(scope="module")
def uri(new_database):
    """A database with tables; which kind it is makes no difference to who touches a file."""
    app = create_app(settings(found := new_database("sqlite")))
    with app.app_context():
        migrate(app)
    db_dispose(app)
    return found


def make_old(file: Path) -> None:
    then = time.time() - LONG_AGO
    os.utime(file, (then, then))


def is_fresh(file: Path) -> bool:
    return file.exists() and time.time() - file.stat().st_mtime < LONG_AGO / 2


@pytest.fixture
def processes(uri, valkey, tmp_path):
    """A worker and a scheduler with a file each, by the file, and their environment."""
    started = {}
    for command in ("worker", "beat"):
        file = tmp_path / command
        environ = environment(uri, valkey.url, HEARTBEAT_FILE=str(file), WORKER_CONCURRENCY="1")
        process = Process(
            ["-m", "celery", "-A", "run", command, "--loglevel=INFO"], environ, tmp_path / f"{command}.log"
        )
        started[file] = process, environ
    yield started
    for process, _ in started.values():
        process.popen.send_signal(signal.SIGCONT)
        process.kill()


def test_worker_or_scheduler_that_hangs_is_found_and_one_that_goes_on_is_well(processes, probe):
    for file, (process, environ) in processes.items():
        wait_until(lambda file=file: is_fresh(file), f"it shows life\n{process.output()}")
        assert probe(environ) == (0, "")
    for file, (process, environ) in processes.items():
        process.popen.send_signal(signal.SIGSTOP)
        make_old(file)
        code, said = probe(environ)
        assert (code, "the process hangs" in said) == (1, True), said
        process.popen.send_signal(signal.SIGCONT)
    for file, (_, environ) in processes.items():
        wait_until(lambda file=file: is_fresh(file), "its own loop touches the file")
        assert probe(environ) == (0, "")


@pytest.mark.parametrize("missing", ["Redis", "PostgreSQL"])
def test_nobody_is_started_again_for_what_is_not_there(missing, new_database, valkey, tmp_path, probe):
    """Or a database that is away would start every worker again and again."""
    file = tmp_path / "heartbeat"
    file.touch()
    make_old(file)
    uri = "postgresql+psycopg://todos:hidden@127.0.0.1:1/todos" if missing == "PostgreSQL" else new_database("sqlite")
    redis = "redis://127.0.0.1:1" if missing == "Redis" else valkey.url
    code, said = probe(environment(uri, redis, HEARTBEAT_FILE=str(file)))
    assert (code, f"but {missing} cannot be used" in said) == (0, True), said
    assert "hidden" not in said


@pytest.mark.parametrize("trouble", ["hangs", "is full", "is a replica"])
def test_redis_that_nobody_can_use_starts_nobody_again_either(trouble, scratch, new_database, tmp_path, probe):
    file = tmp_path / "heartbeat"
    file.touch()
    make_old(file)
    with Server(scratch / "health.sock", scratch / "health") as server, Redis.from_url(server.url) as redis:
        environ = environment(new_database("sqlite"), server.url, HEARTBEAT_FILE=str(file))
        assert probe(environ)[0] == 1
        if trouble == "hangs":
            server.pause()
        elif trouble == "is full":
            redis.config_set("maxmemory", 1)
        else:
            redis.replicaof("127.0.0.1", "1")
        assert probe(environ)[0] == 0
