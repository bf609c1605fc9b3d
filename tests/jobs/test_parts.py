"""Large work as parts: planned once, each done once, ended once, in whatever order workers take them."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.db import transaction, utcnow
from app.errors import Invalid
from app.extensions import db
from app.models import AuditEntry, Job, Todo
from app.services import jobs, jobs_parts, jobs_runs
from app.tasks.declare import Part
from app.tasks.runner import execute, submit_for, sweep
from tests.factories import create_job
from tests.jobs.test_engine import expire_lease, reread, titles


def plan(run, count, size=2):
    return [Part({"first": first}, min(size, count - first)) for first in range(0, count, size)]


def add_rows(run, count, first, size=2):
    mine = range(first, min(first + size, count))
    for batch in run.batches(mine, size=1):
        db.session.add(Todo(owner_id=run.owner.id, title=f"Row {batch[0]}"))
    return {"rows": len(mine), "parts": [first]}


def parts_of(job):
    db.session.rollback()
    return list(db.session.scalars(select(Job).where(Job.parent_id == job.id).order_by(Job.part)))


def split(declare, owner, count=5, work=add_rows, **facts):
    """Submit a large job and plan it."""
    job = submit_for(owner.id, declare(work, plan=plan, **facts), count=count)
    execute(job.id)
    return job


def test_parts_are_worked_on_and_their_results_added_up(cast, declare, queue):
    job = split(declare, cast.alice)
    assert (reread(job).status, reread(job).parts_total, reread(job).progress_total) == ("running", 3, 5)
    assert len(queue) == 4  # the job's own message, and one for each part
    first, second, third = parts_of(job)
    for part, done in ((third, 1), (first, 3), (second, 5)):
        execute(part.id)
        assert reread(job).progress_done == done
    assert reread(job).status == "running"
    execute(job.id)
    found = reread(job)
    assert (found.status, found.result) == ("succeeded", {"rows": 5, "parts": [0, 2, 4]})
    assert (found.progress_done, found.progress_total) == (5, 5)
    assert sorted(titles()) == [f"Row {number}" for number in range(5)]


def test_trail_tells_of_the_whole_and_not_of_its_parts(cast, declare):
    job = split(declare, cast.alice)
    for part in parts_of(job):
        execute(part.id)
    execute(job.id)
    trail = select(AuditEntry.row_id, AuditEntry.action).filter_by(entity="job").order_by(AuditEntry.id)
    found = db.session.execute(trail).all()
    assert [tuple(row) for row in found] == [(job.id, action) for action in ("submitted", "started", "succeeded")]


def test_message_of_a_split_job_before_its_last_part_ended_does_nothing(cast, declare):
    job = split(declare, cast.alice)
    execute(parts_of(job)[0].id)
    execute(job.id)
    assert (reread(job).status, reread(job).attempt) == ("running", 1)


def test_job_without_parts_ends_at_once(cast, declare, queue):
    job = split(declare, cast.alice, count=0)
    assert len(queue) == 2
    execute(job.id)
    assert (reread(job).status, reread(job).result) == ("succeeded", {})


def test_parts_in_parallel_end_the_job_once(cast, declare, elsewhere):
    job = split(declare, cast.alice, count=8)
    ids = iter([part.id for part in parts_of(job)] * 2)
    elsewhere(lambda: execute(next(ids)), times=8)
    elsewhere(execute, job.id, times=3)
    assert (reread(job).status, reread(job).attempt, reread(job).result["rows"]) == ("succeeded", 2, 8)
    assert sorted(titles()) == sorted(f"Row {number}" for number in range(8))


def test_plan_of_a_worker_that_was_superseded_is_dropped(cast, declare, elsewhere):
    def late(run, count):
        expire_lease(run.job_id)
        elsewhere(jobs_runs.claim, run.job_id)
        return plan(run, count)

    job = submit_for(cast.alice.id, declare(add_rows, plan=late), count=4)
    execute(job.id)
    assert parts_of(job) == []
    assert (reread(job).attempt, reread(job).parts_total) == (2, None)


@pytest.mark.parametrize("lost", ["part", "last message", "all messages"])
def test_sweep_goes_on_with_what_was_lost_between_two_parts(cast, declare, queue, lost):
    job = split(declare, cast.alice, count=4)
    first, second = parts_of(job)
    execute(first.id)
    if lost == "last message":
        execute(second.id)
    if lost == "part":
        jobs_runs.claim(second.id)
        expire_lease(second.id)
    queue.clear()
    with transaction() as session:
        session.execute(update(Job).values(sent_at=utcnow() - timedelta(hours=1), created_at=utcnow()))
    assert sweep() == 1
    execute(second.id)
    execute(job.id)
    assert reread(job).status == "succeeded"
    assert titles() == ["Row 0", "Row 1", "Row 2", "Row 3"]


def test_job_with_a_failed_part_fails_and_says_how_many(cast, declare):
    def work(run, count, first):
        if first:
            raise Invalid(f"Row {first} is bad.")
        return add_rows(run, count, first)

    job = split(declare, cast.alice, work=work)
    for part in parts_of(job):
        execute(part.id)
    execute(job.id)
    found = reread(job)
    assert (found.status, found.error) == ("failed", "2 of 3 parts failed. Row 2 is bad.")
    assert found.result == {"rows": 2, "parts": [0]}


@pytest.mark.parametrize("when", ["before", "between", "at the end"])
def test_cancelled_job_stops_its_parts_with_no_worker_up(cast, viewer, declare, when):
    job = split(declare, cast.alice)
    parts = parts_of(job)
    for part in parts[: {"before": 0, "between": 1, "at the end": 3}[when]]:
        execute(part.id)
    jobs.request_cancel(viewer("alice"), job)
    assert reread(job).status == "cancelled"
    done = titles()
    for part in parts:
        execute(part.id)
    execute(job.id)
    assert titles() == done
    assert {part.status for part in parts_of(job)} <= {"succeeded", "cancelled"}


@pytest.mark.parametrize("worker", ["alive", "dead"])
def test_cancelled_job_waits_for_the_part_that_runs(cast, viewer, declare, elsewhere, worker):
    alice = viewer("alice")

    def work(run, count, first):
        if worker == "alive":
            elsewhere(jobs.request_cancel, alice, job)
        return add_rows(run, count, first)

    job = split(declare, alice, count=2, work=work)
    [part] = parts_of(job)
    if worker == "dead":
        jobs_runs.claim(part.id)
        jobs.request_cancel(alice, job)
        assert reread(job).status == "running"
        expire_lease(part.id)
        sweep()
        sweep()
    else:
        execute(part.id)
    assert (reread(part).status, reread(job).status) == ("cancelled", "cancelled")
    assert titles() == []


def test_parts_are_no_jobs_of_a_person(login, cast, declare):
    job = split(declare, cast.alice)
    page = login("alice").get("/jobs").text
    assert f"/jobs/{job.id}" in page
    assert f"/jobs/{parts_of(job)[0].id}" not in page


def test_part_needs_the_right_too(cast, viewer, declare):
    job = split(declare, cast.ada, permission=("can_add", "Todo"))
    with transaction():
        cast.ada.active = False
    for part in parts_of(job):
        execute(part.id)
    execute(job.id)
    assert reread(job).status == "failed"
    assert titles() == []


def test_settling_a_job_that_is_no_split_one_does_nothing(cast):
    job = create_job(cast.alice)
    assert jobs_parts.settle(job.id) is None
    assert reread(job).status == "queued"
