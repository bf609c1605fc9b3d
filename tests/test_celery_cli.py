"""Celery's own tools work on our worker, and our settings are the ones that jobs rely on."""

import json
import re
import subprocess
import sys

import pytest
from celery import group
from celery.backends.base import DisabledBackend
from redis import Redis
from sqlalchemy import select

from app import create_app
from app.extensions import db
from app.models import Job
from app.tasks.broker import GRACE_SECONDS, VISIBILITY_SECONDS
from app.tasks.runner import REGISTRY
from app.tasks.turns import BEAT
from config import ROOT
from tests.conftest import db_dispose, empty, migrate, settings
from tests.factories import create_job, create_todo, create_user
from tests.faults.processes import PATIENCE, Process, environment, wait_until
from tools.valkey import Server

WORKER = ["-m", "celery", "-A", "run", "worker", "--concurrency", "1", "-n", "inspected@host"]


@pytest.fixture(scope="module")
def broker(scratch):
    with Server(scratch / "celery.sock", scratch / "celery") as server:
        yield server


@pytest.fixture(scope="module")
def uri(new_database):
    return new_database("sqlite")


@pytest.fixture(scope="module")
def site(uri, broker):
    made = create_app(settings(uri, broker))
    migrate(made)
    yield made
    db_dispose(made)


@pytest.fixture
def alice(site):
    with site.app_context():
        yield create_user("alice")
        db.session.remove()
        empty()


@pytest.fixture(scope="module")
def environ(site, uri, broker):
    return environment(uri, broker.url)


@pytest.fixture(scope="module")
def worker(environ, tmp_path_factory):
    process = Process(WORKER, environ, tmp_path_factory.mktemp("worker") / "log")
    try:
        process.wait_for("inspected@host ready.")
        yield process
    finally:
        process.kill()


@pytest.fixture
def celery(environ, tmp_path):
    """Returns a function that runs `celery -A run ...` and returns what it printed."""

    def run(*command):
        process = Process(["-m", "celery", "-A", "run", *command], environ, tmp_path / "log")
        assert process.popen.wait(PATIENCE) == 0, process.output()
        return process.output()

    return run


def test_worker_answers_what_the_documents_name(worker, celery):
    text = (ROOT / "docs" / "jobs.md").read_text()
    commands = dict.fromkeys(re.findall(r"`(?:celery -A run )?(inspect \w+|status)`", text))
    assert list(commands) == ["inspect ping", "inspect active", "status"]
    answers = {command: celery(*command.split(), "--json") for command in commands}
    assert json.loads(answers["inspect ping"]) == {"inspected@host": {"ok": "pong"}}
    assert json.loads(answers["inspect active"]) == {"inspected@host": []}
    assert "1 node online" in answers["status"]


def test_worker_names_the_declared_jobs_and_the_schedule(worker, celery):
    registered = json.loads(celery("inspect", "registered", "--json"))
    assert set(registered["inspected@host"]) == set(REGISTRY) | set(BEAT)


def test_group_of_tasks_runs_both_jobs(worker, site, alice):
    todos = [create_todo(alice, f"Todo {number}") for number in range(2)]
    first, second = (create_job(alice, args={"selection": {"ids": [todo.id]}}) for todo in todos)
    task = site.extensions["celery"].tasks["todos.export"]
    group(task.s(first.id), task.s(second.id)).apply_async()

    def results():
        db.session.rollback()
        found = db.session.scalars(select(Job).order_by(Job.id).execution_options(populate_existing=True)).all()
        return found if all(job.is_final for job in found) else None

    ended = wait_until(results, "both jobs ended")
    assert [(job.status, job.attempt, job.result["todos"]) for job in ended] == [("succeeded", 1, 1)] * 2


def test_redis_holds_no_results(worker, site, broker, alice):
    job = create_job(alice)
    site.extensions["celery"].tasks["todos.export"].delay(job.id)

    def is_final():
        db.session.rollback()
        return db.session.get(Job, job.id, populate_existing=True).is_final

    wait_until(is_final, "the job ended")
    with Redis.from_url(broker.url) as redis:
        assert not list(redis.scan_iter("*celery-task-meta*"))
        assert {key.split(b":")[0] for key in redis.scan_iter("*")} <= {b"todos"}


def test_worker_that_starts_without_a_database_says_so_in_lines_and_waits(environ, tmp_path):
    nowhere = environ | {"SQLALCHEMY_DATABASE_URI": "postgresql+psycopg://todos@127.0.0.1:9/todos"}
    process = Process(WORKER, nowhere, tmp_path / "log")
    try:
        process.wait_for("inspected@host ready.")
    finally:
        process.kill()
    assert "the database does not answer, schedule waits: connection failed" in process.output()
    assert "Traceback" not in process.output()


def test_settings_are_those_that_jobs_rely_on(site):
    celery_app = site.extensions["celery"]
    conf = celery_app.conf
    assert (conf.accept_content, conf.task_serializer) == (["json"], "json")
    assert isinstance(celery_app.backend, DisabledBackend)
    assert conf.task_ignore_result
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.broker_transport_options["visibility_timeout"] == VISIBILITY_SECONDS
    assert max(spec.time_limit for spec in REGISTRY.values()) + GRACE_SECONDS < VISIBILITY_SECONDS
    for name, spec in REGISTRY.items():
        task = celery_app.tasks[name]
        assert (task.soft_time_limit, task.time_limit) == (spec.time_limit, spec.time_limit + GRACE_SECONDS)


def test_command_without_settings_ends_with_one_message(environ):
    command = [sys.executable, "-m", "celery", "-A", "run", "report"]
    without = {name: value for name, value in environ.items() if name != "SECRET_KEY"}
    done = subprocess.run(command, env=without, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "SECRET_KEY is missing" in done.stderr
    assert "Traceback" not in done.stderr
