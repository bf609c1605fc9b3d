"""A database that cuts connections, is restarted or locked in the middle of jobs."""

import sqlite3
import time

import pytest
from sqlalchemy import make_url, select, text

from app.db import transaction
from app.extensions import db
from app.models import Job, Todo
from app.tasks.runner import send
from tests.factories import create_job
from tests.faults.processes import wait_until

ROWS = ["Row 0", "Row 1", "Row 2", "Row 3"]


def on(kind):
    return pytest.mark.parametrize("database", [kind], indirect=True, scope="session")


def submit_rows(owner, count):
    send(*(create_job(owner, name="tests.row", args={"title": f"Row {number}"}) for number in range(count)))


def wait_for_all(crew):
    def is_done():
        left = db.session.scalar(select(Job.id).where(Job.status.in_(("queued", "running"))).limit(1))
        db.session.rollback()
        return left is None

    wait_until(is_done, "all jobs ended")
    assert set(db.session.scalars(select(Job.status))) == {"succeeded"}
    assert crew.worker.is_running()
    titles = list(db.session.scalars(select(Todo.title)))
    return sorted(titles, key=lambda title: int(title.split()[1]))


@on("postgresql")
def test_batch_whose_connection_was_cut_is_done_again(crew, faulty, slow, ended):
    with transaction():
        slow.job.args = slow.job.args | {"inside": True}
    send(slow.job)
    slow.pid()
    others = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
    )
    with db.engine.connect() as connection:
        assert connection.scalar(text(f"{others} current_database()")) >= 1
    slow.open()
    assert (ended(slow.job).status, ended(slow.job).attempt) == ("succeeded", 2)
    assert wait_for_all(crew) == ROWS


@on("postgresql")
def test_jobs_run_once_though_postgresql_crashes(crew, faulty, cast, restart_postgresql):
    submit_rows(cast.alice, 40)
    db.session.remove()
    wait_until(lambda: "tests.row starts" in crew.worker.output(), "the first job began")
    restart_postgresql()
    assert wait_for_all(crew) == [f"Row {number}" for number in range(40)]


@on("sqlite")
def test_jobs_wait_for_a_sqlite_that_somebody_else_writes_to(crew, faulty, cast, migrated):
    submit_rows(cast.alice, 10)
    db.session.remove()
    other = sqlite3.connect(make_url(migrated).database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(10)
    other.execute("ROLLBACK")
    other.close()
    assert wait_for_all(crew) == [f"Row {number}" for number in range(10)]
