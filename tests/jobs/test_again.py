"""Another try: by the engine after an error that passes or a worker that ends, by people after the end."""

from datetime import UTC, datetime, timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from app.db import transaction, utcnow
from app.errors import Conflict, Invalid, Limited, NotFound
from app.extensions import db
from app.models import Job, Notification, Todo
from app.services import jobs, jobs_runs, jobs_sweep
from app.tasks.runner import again, execute, submit, submit_for, sweep
from tests.factories import create_job
from tests.jobs.test_engine import adding, die_at, reread, run_killed, titles


def due(job):
    """Let the time of the next try come."""
    with transaction() as session:
        session.execute(update(Job).where(Job.id == job.id).values(next_try_at=utcnow() - timedelta(seconds=1)))


def cut(times):
    def before(run, item):
        if item == 1 and run.attempt <= times:
            raise OperationalError("SELECT", {}, Exception("the connection was cut"))

    return before


def test_error_that_passes_is_tried_again_after_a_while(cast, declare, queue):
    job = submit_for(cast.alice.id, declare(adding(cast.alice, before=cut(1)), backoff=(100, 100)), count=3)
    before = utcnow()
    execute(job.id)
    found = reread(job)
    assert (found.status, found.sent_at, found.progress_done) == ("queued", None, 1)
    assert timedelta(seconds=50) <= found.next_try_at - before <= timedelta(seconds=101)
    queue.clear()
    assert sweep() == 0
    execute(job.id)
    assert reread(job).attempt == 1
    due(job)
    assert sweep() == 1
    execute(job.id)
    assert (reread(job).status, reread(job).attempt, reread(job).error) == ("succeeded", 2, None)
    assert titles() == ["Row 0", "Row 1", "Row 2"]


def test_error_that_does_not_pass_fails_the_job_in_the_end(cast, declare, caplog):
    job = submit_for(cast.alice.id, declare(adding(cast.alice, before=cut(9)), attempts=2), count=3)
    execute(job.id)
    due(job)
    execute(job.id)
    assert (reread(job).status, reread(job).attempt) == ("failed", 2)
    assert "the connection was cut" in caplog.text


def test_declared_errors_only_are_tried_again(cast, declare):
    def refuse(run):
        raise Invalid("The mail server is busy.")

    once, often = declare(refuse), declare(refuse, name="tests.often", retry_on=(Invalid,))
    first, second = submit_for(None, once), submit_for(None, often)
    for job in (first, second):
        execute(job.id)
    assert (reread(first).status, reread(second).status) == ("failed", "queued")
    assert reread(second).error == "The mail server is busy."


def test_delays_double_up_to_the_most_with_jitter(declare):
    spec = declare(lambda run: {}, backoff=(10, 60))
    for attempt, most in ((1, 10), (2, 20), (3, 40), (4, 60), (9, 60)):
        delays = {spec.delay(attempt).total_seconds() for _ in range(20)}
        assert len(delays) > 1
        assert all(most / 2 <= delay <= most for delay in delays)


def test_job_that_waits_for_its_next_try_can_be_cancelled(login, cast, declare):
    job = submit_for(cast.alice.id, declare(adding(cast.alice, before=cut(1))), count=3)
    execute(job.id)
    login("alice").send(f"/jobs/{job.id}/cancel")
    assert reread(job).status == "cancelled"
    due(job)
    execute(job.id)
    assert titles() == ["Row 0"]


def test_job_of_a_worker_that_has_to_end_goes_back_and_on_elsewhere(cast, declare):
    stopping = iter([False, True])
    job = submit_for(cast.alice.id, declare(adding(cast.alice), attempts=1), count=4)
    execute(job.id, is_stopping=lambda: next(stopping))
    found = reread(job)
    assert (found.status, found.progress_done, found.attempts_left) == ("queued", 2, 1)
    execute(job.id)
    assert (reread(job).status, reread(job).attempt) == ("succeeded", 2)
    assert titles() == ["Row 0", "Row 1", "Row 2", "Row 3"]


def test_cancelled_job_of_a_worker_that_has_to_end_is_cancelled(cast, viewer, declare):
    def stop():
        with transaction() as session:
            session.execute(update(Job).values(cancel_requested_at=utcnow()))
        return True

    job = submit_for(cast.alice.id, declare(adding(cast.alice)), count=4)
    execute(job.id, is_stopping=stop)
    assert reread(job).status == "cancelled"


def test_job_whose_process_was_killed_for_its_time_fails_with_the_limit(cast, declare):
    spec = declare(adding(cast.alice), time_limit=5)
    over, early = submit_for(None, spec, count=1), submit_for(None, spec, count=2)
    past = utcnow() - jobs_runs.LEASE - timedelta(seconds=10)
    for job, alive in ((over, 5), (early, 4)):
        jobs_runs.claim(job.id)
        facts = {"started_at": past, "lease_expires_at": past + timedelta(seconds=alive) + jobs_runs.LEASE}
        with transaction() as session:
            session.execute(update(Job).where(Job.id == job.id).values(facts))
    sweep()
    assert (reread(over).status, reread(over).error) == ("failed", "It took longer than 5 seconds.")
    assert reread(early).status == "running"


def test_job_that_is_told_that_its_time_is_over_fails_with_the_limit(cast, declare):
    def late(run, item):
        if item == 1:
            raise SoftTimeLimitExceeded

    job = submit_for(None, declare(adding(cast.alice, after=late), time_limit=5), count=3)
    execute(job.id)
    assert (reread(job).status, reread(job).error) == ("failed", "It took longer than 5 seconds.")
    assert titles() == ["Row 0"]


def test_worker_says_at_once_which_of_its_processes_died(cast, declare):
    job = submit_for(cast.alice.id, declare(adding(cast.alice), time_limit=7), count=1)
    jobs_runs.claim(job.id, "one@host", 42)
    for worker, pid in (("two@host", 42), ("one@host", 43)):
        jobs_sweep.let_go(job.id, worker, pid)
        jobs_sweep.fail_over_time({job.name}, job.id, worker, pid)
    assert jobs_runs.claim(job.id) is None
    jobs_sweep.let_go(job.id, "one@host", 42)
    assert jobs_runs.claim(job.id, "one@host", 44).attempt == 2
    jobs_sweep.fail_over_time({job.name}, job.id, "one@host", 44)
    assert (reread(job).status, reread(job).error) == ("failed", "It took longer than 7 seconds.")
    assert db.session.scalars(select(Notification.job_id)).all() == [job.id]


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_that_jumps_an_hour_ends_no_job_and_runs_none_twice(cast, declare, elsewhere, monkeypatch, hours):
    def jump(run, item):
        if item == 2 and run.attempt == 1:
            monkeypatch.setattr("app.db.clock", lambda: datetime.now(UTC) + timedelta(hours=hours))
            elsewhere(lambda: (sweep(), execute(run.job_id)))

    job = submit_for(cast.alice.id, declare(adding(cast.alice, before=jump)), count=4)
    execute(job.id)
    assert reread(job).status == "succeeded"
    assert titles() == ["Row 0", "Row 1", "Row 2", "Row 3"]


def test_lease_of_a_clock_that_ran_ahead_does_not_hold_a_dead_workers_job(cast, declare, queue):
    job = submit_for(cast.alice.id, declare(adding(cast.alice, before=die_at(2))), count=4)
    run_killed(job)
    with transaction() as session:
        session.execute(update(Job).values(lease_expires_at=utcnow() + timedelta(hours=1)))
    assert sweep() == 1
    execute(job.id)
    assert (reread(job).status, reread(job).attempt) == ("succeeded", 2)


def test_ended_job_runs_again_as_a_new_one_that_names_the_old(cast, viewer, declare):
    def work(run, count):
        db.session.add(Todo(owner_id=run.owner.id, title=f"Row {count}"))
        return {}

    old = submit_for(cast.alice.id, declare(work), count=7)
    execute(old.id)
    new = again(viewer("alice"), reread(old))
    assert (new.again_of_id, new.args, new.status) == (old.id, {"count": 7}, "queued")
    assert again(viewer("alice"), reread(old)).id == new.id
    execute(new.id)
    assert titles() == ["Row 7", "Row 7"]


@pytest.mark.parametrize(("facts", "refusal"), [({}, Conflict), ({"parent_id": 1}, Conflict)])
def test_job_that_has_not_ended_or_is_a_part_does_not_run_again(cast, viewer, facts, refusal):
    job = create_job(cast.alice, "succeeded" if facts else "queued", **facts)
    with pytest.raises(refusal):
        again(viewer("alice"), job)


def test_job_of_somebody_else_does_not_run_again(cast, viewer):
    with pytest.raises(NotFound):
        again(viewer("bob"), create_job(cast.alice, "failed"))


def test_person_with_too_many_jobs_is_told_and_others_are_not_affected(cast, viewer, declare, make_app):
    spec = declare(lambda run, number: {})
    with make_app(MAX_ACTIVE_JOBS="2").app_context():
        first = submit(viewer("alice"), spec, number=1)
        submit(viewer("alice"), spec, number=2)
        with pytest.raises(Limited, match="You have 2 jobs that have not ended"):
            submit(viewer("alice"), spec, number=3)
        submit(viewer("bob"), spec, number=3)
        execute(first.id)
        submit(viewer("alice"), spec, number=3)
        assert submit(viewer("alice"), spec, number=3).status == "queued", "the same work is no further job"


def test_person_who_submits_many_times_at_once_stays_within_the_limit(cast, elsewhere):
    def submit_another():
        try:
            jobs.create("todos.export", {}, cast.alice.id, None, 3)
        except Limited:
            return "refused"
        return "taken"

    assert sorted(elsewhere(submit_another, times=8)) == ["refused"] * 5 + ["taken"] * 3
