"""What the engine asks of the database for a small job: thousands of them have to be cheap, so nothing may creep in."""

from contextlib import contextmanager

import pytest
from sqlalchemy import event, select

from app.extensions import db
from app.models import Job, Todo
from app.tasks.runner import Part, execute, send, submit
from tests.conftest import count_queries


@contextmanager
def cost():
    """Collect the first word of each statement of the block, and its commits."""
    db.session.remove()
    with count_queries() as found:
        event.listen(db.engine, "commit", note := lambda _connection: found.append("COMMIT"))
        words = []
        try:
            yield words
        finally:
            event.remove(db.engine, "commit", note)
    # SQLite is told to begin where PostgreSQL is not
    words += [statement.split()[0] for statement in found if not statement.startswith("BEGIN")]


def add_row(run, **_):
    db.session.add(Todo(owner_id=run.owner.id, title="Row"))
    return {}


@pytest.fixture
def small(declare):
    return declare(add_row, key=lambda owner_id, args: None)


def test_small_job_is_submitted_in_two_commits(cast, viewer, small, queue):
    alice = viewer("alice")
    submit(alice, small)  # whatever is done once in a process
    with cost() as words:
        submit(alice, small)
    assert len(queue) == 2
    limit = ["SELECT", "SELECT"]  # one at a time, and not too many
    row, entry, sent = ["SAVEPOINT", "INSERT", "RELEASE"], ["INSERT", "COMMIT"], ["UPDATE", "COMMIT"]
    assert words == [*limit, *row, *entry, *sent]


def test_small_job_is_run_in_two_commits(cast, viewer, small, queue):
    jobs = [submit(viewer("alice"), small).id for _ in range(2)]
    execute(jobs[0])
    with cost() as words:
        execute(jobs[1])
    claim, entry = ["SELECT", "UPDATE"], ["INSERT", "COMMIT"]  # the trail keeps the status before
    owner, work, end, told = ["SELECT"], ["INSERT"], ["SELECT", "UPDATE"], ["INSERT"]
    assert words == [*claim, *entry, *owner, *work, *end, *told, *entry]
    assert db.session.get(Job, jobs[1]).status == "succeeded"


def test_part_costs_two_statements_more_and_leaves_the_trail_alone(cast, viewer, declare):
    spec = declare(add_row, plan=lambda run: [Part({"number": number}) for number in range(3)])
    execute(submit(viewer("alice"), spec).id)
    first, second, _ = db.session.scalars(select(Job.id).where(Job.parent_id.is_not(None)))
    execute(first)
    with cost() as words:
        execute(second)
    claim, owner, args, work = ["SELECT", "UPDATE", "COMMIT"], ["SELECT"], ["SELECT"], ["INSERT"]
    end, entry, settle = ["SELECT", "UPDATE"], ["INSERT", "COMMIT"], ["UPDATE", "COMMIT", "SELECT"]
    assert words == [*claim, *owner, *args, *work, *end, *entry, *settle]


def test_message_that_comes_again_reads_once_and_writes_nothing(cast, viewer, small, queue):
    job = submit(viewer("alice"), small).id
    execute(job)
    with cost() as words:
        execute(job)
    assert words == ["SELECT", "UPDATE", "COMMIT"]


def test_message_is_sent_with_few_commands(cast, viewer, small, queue):
    job = submit(viewer("alice"), small)
    queue.redis.config_resetstat()
    assert send(job) == 1
    calls = {name.removeprefix("cmdstat_"): found["calls"] for name, found in queue.redis.info("commandstats").items()}
    assert calls["lpush"] == 1
    assert "client|setinfo" not in calls  # which asks the file system for the version of a package
    assert sum(calls.values()) <= 18
