"""The engine: what is submitted once is run once, whatever happens to messages and workers."""

import logging
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import IntegrityError

from app.db import transaction, utcnow
from app.errors import Denied, Invalid
from app.extensions import db
from app.models import Job, Todo
from app.services import jobs, jobs_runs
from app.tasks.runner import execute, send, submit, submit_for
from app.tasks.todos import export_todos
from tests.factories import create_job, create_todo
from tests.faults.processes import wait_until

MAX_ATTEMPTS = 3


class Killed(BaseException):
    """What a killed worker is to the code that runs in it: nothing catches it."""


def reread(job):
    return db.session.get(Job, job.id, populate_existing=True)


def count(model):
    return db.session.scalar(select(func.count()).select_from(model))


def titles():
    return list(db.session.scalars(select(Todo.title).order_by(Todo.id)))


def expire_lease(job_id):
    with transaction() as session:
        past = utcnow() - timedelta(seconds=1)
        session.execute(update(Job).where(Job.id == job_id).values(lease_expires_at=past))


def take_over(job_id):
    expire_lease(job_id)
    return jobs_runs.claim(job_id).attempt


def adding(owner, before=lambda run, item: None, after=lambda run, item: None, **how):
    """Return a job's function that adds a todo for each number."""

    def work(run, count):
        for batch in run.batches(range(count), size=1, **how):
            before(run, batch[0])
            db.session.add(Todo(owner_id=owner.id, title=f"Row {batch[0]}"))
            db.session.flush()
            after(run, batch[0])
        return {"rows": count}

    return work


def test_job_ends_with_its_result(cast, declare):
    job = submit_for(cast.alice.id, declare(adding(cast.alice)), count=3)
    execute(job.id)
    found = reread(job)
    assert (found.status, found.result, found.error) == ("succeeded", {"rows": 3}, None)
    assert (found.progress_done, found.progress_total, found.attempt) == (3, 3, 1)
    assert found.created_at <= found.started_at <= found.finished_at
    assert found.lease_expires_at is None
    assert titles() == ["Row 0", "Row 1", "Row 2"]


def test_same_work_returns_the_active_job_and_a_new_one_after_it_ended(cast, viewer, queue):
    todo = create_todo(cast.alice)
    first = submit(viewer("alice"), export_todos, selection={"ids": [todo.id]})
    assert submit(viewer("alice"), export_todos, selection={"ids": [todo.id]}).id == first.id
    assert len(queue) == 1
    jobs_runs.claim(first.id)
    assert submit(viewer("alice"), export_todos, selection={"ids": [todo.id]}).id == first.id
    with transaction():
        jobs_runs.finish(first.id, 1, "failed", error="No")
    assert submit(viewer("alice"), export_todos, selection={"ids": [todo.id]}).id != first.id


def test_same_work_of_others_and_other_work_are_jobs_of_their_own(cast, viewer, queue):
    first = submit(viewer("alice"), export_todos, selection={"ids": [1]})
    assert submit(viewer("bob"), export_todos, selection={"ids": [1]}).id != first.id
    assert submit(viewer("alice"), export_todos, selection={"ids": [2]}).id != first.id
    assert len(queue) == 3


def test_work_without_a_key_may_be_started_twice(cast, declare):
    spec = declare(adding(cast.alice), key=lambda owner_id, args: None)
    assert submit_for(None, spec, count=1).id != submit_for(None, spec, count=1).id


def test_parallel_submissions_of_the_same_work_make_one_job(cast, elsewhere):
    made = elsewhere(jobs.create, "todos.export", {"ids": []}, cast.alice.id, "the same", times=6)
    assert len({job.id for job, _ in made}) == 1
    assert [is_new for _, is_new in made].count(True) == 1
    assert count(Job) == 1


@pytest.mark.parametrize("key", [None, "some key"])
def test_job_of_an_owner_who_is_gone_is_refused(cast, key):
    create_job(cast.bob)
    statements = []

    def stop_an_endless_loop(_connection, _cursor, statement, *_):
        statements.append(statement)
        assert len(statements) < 50, "the same statements over and over"

    event.listen(db.engine, "before_cursor_execute", stop_an_endless_loop)
    try:
        with pytest.raises(IntegrityError):
            jobs.create("todos.export", {"ids": []}, 999_999, key)
    finally:
        event.remove(db.engine, "before_cursor_execute", stop_an_endless_loop)


def test_submitting_without_the_right_is_denied_and_leaves_nothing(cast, viewer, declare, queue):
    spec = declare(adding(cast.vera), permission=("can_add", "Todo"))
    with pytest.raises(Denied):
        submit(viewer("vera"), spec, count=1)
    assert count(Job) == 0
    assert len(queue) == 0


def test_message_is_sent_when_the_row_can_be_read(cast, viewer, queue):
    job = submit(viewer("alice"), export_todos, selection={"ids": [1]})
    assert len(queue) == 1
    assert reread(job).sent_at is not None


def test_job_in_a_transaction_that_rolls_back_is_not_sent(cast, viewer, queue):
    with suppress(RuntimeError), transaction():
        submit(viewer("alice"), export_todos, selection={"ids": [1]})
        raise RuntimeError("something else in this transaction failed")
    assert count(Job) == 0
    assert len(queue) == 0


def test_one_of_many_parallel_claims_wins(cast, elsewhere):
    job = create_job(cast.alice)
    claims = elsewhere(jobs_runs.claim, job.id, times=8)
    assert len([claim for claim in claims if claim]) == 1
    assert (reread(job).status, reread(job).attempt) == ("running", 1)


def test_one_of_many_parallel_claims_takes_over_an_abandoned_job(cast, elsewhere):
    job = create_job(cast.alice, "running", lease_expires_at=utcnow() - timedelta(seconds=1))
    claims = elsewhere(jobs_runs.claim, job.id, times=8)
    assert [claim.attempt for claim in claims if claim] == [2]


def test_message_delivered_many_times_in_parallel_runs_once(cast, declare, elsewhere):
    job = create_job(cast.alice, name=declare(adding(cast.alice)).name, args={"count": 3})
    elsewhere(execute, job.id, times=5)
    assert (reread(job).status, reread(job).attempt) == ("succeeded", 1)
    assert titles() == ["Row 0", "Row 1", "Row 2"]


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "cancelled"])
def test_late_message_does_nothing(cast, declare, status):
    facts = {"lease_expires_at": utcnow() + timedelta(minutes=1)} if status == "running" else {}
    job = create_job(cast.alice, status, name=declare(adding(cast.alice)).name, args={"count": 1}, **facts)
    attempt = job.attempt
    execute(job.id)
    assert (reread(job).status, reread(job).attempt) == (status, attempt)
    assert titles() == []


def test_message_about_no_job_does_nothing(cast):
    job = create_job(cast.alice)
    execute(job.id + 1)
    assert reread(job).status == "queued"


def test_unknown_kind_of_job_fails_with_a_sentence(cast):
    job = create_job(cast.alice, name="removed.in_this_version")
    execute(job.id)
    assert reread(job).status == "failed"
    assert "does not know this kind of job" in reread(job).error


def test_crash_within_a_batch_keeps_neither_its_work_nor_its_progress(cast, declare, caplog):
    def break_down(run, item):
        if item == 2:
            raise ZeroDivisionError("a secret detail")

    job = submit_for(cast.alice.id, declare(adding(cast.alice, after=break_down)), count=4)
    with caplog.at_level(logging.ERROR):
        execute(job.id)
    found = reread(job)
    assert found.status == "failed"
    assert (found.progress_done, found.progress_total) == (2, 4)
    assert titles() == ["Row 0", "Row 1"]
    assert found.error == f"Something went wrong on our side. Quote job {job.id} when you ask for help."
    assert "ZeroDivisionError: a secret detail" in caplog.text


def test_job_whose_error_is_kept_by_somebody_is_failed_for_others_too(cast, declare, elsewhere):
    kept = []

    def work(run):
        batches = run.batches([1])
        for _ in batches:
            db.session.add(Todo(owner_id=cast.alice.id, title="Half done"))
            db.session.flush()
            try:
                raise Invalid("There is nothing to do.")
            except Invalid as error:
                kept.append(error)
                raise
        return {}

    job = submit_for(cast.alice.id, declare(work))
    execute(job.id)
    db.session.rollback()
    [status] = elsewhere(lambda: db.session.scalar(select(Job.status).where(Job.id == job.id)))
    assert status == "failed"
    assert titles() == []


def test_expected_error_fails_the_job_with_its_sentence(cast, declare, caplog):
    def refuse(run):
        raise Invalid("There is nothing to do.")

    job = submit_for(cast.alice.id, declare(refuse))
    execute(job.id)
    assert (reread(job).status, reread(job).error) == ("failed", "There is nothing to do.")
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("left", ["result", "row"])
def test_what_a_job_leaves_and_nobody_can_store_fails_it(cast, declare, left):
    def work(run):
        if left == "row":
            db.session.add(Todo(owner_id=999_999, title="Nobody's"))
        return {"wrong": {1, 2}} if left == "result" else {}

    job = submit_for(cast.alice.id, declare(work))
    with suppress(Exception):
        execute(job.id)
    db.session.rollback()
    assert reread(job).status == "failed"
    assert f"Quote job {job.id}" in reread(job).error


def test_uncommitted_work_of_a_failed_job_is_dropped(cast, declare):
    def work(run):
        db.session.add(Todo(owner_id=cast.alice.id, title="Half done"))
        db.session.flush()
        raise Invalid("There is nothing to do.")

    job = submit_for(cast.alice.id, declare(work))
    execute(job.id)
    assert reread(job).status == "failed"
    assert titles() == []


def die_at(number):
    def before(run, item):
        if item == number and run.attempt == 1:
            raise Killed

    return before


def run_killed(job):
    with pytest.raises(Killed):
        execute(job.id)
    db.session.remove()
    assert reread(job).status == "running"
    expire_lease(job.id)


def test_killed_job_resumes_after_its_committed_batches(cast, declare):
    seen = []

    def note(run, item):
        seen.append((run.attempt, item))
        die_at(2)(run, item)

    job = submit_for(cast.alice.id, declare(adding(cast.alice, before=note)), count=4)
    run_killed(job)
    execute(job.id)
    assert (reread(job).status, reread(job).attempt, reread(job).progress_done) == ("succeeded", 2, 4)
    assert seen == [(1, 0), (1, 1), (1, 2), (2, 2), (2, 3)]
    assert titles() == ["Row 0", "Row 1", "Row 2", "Row 3"]


@pytest.mark.parametrize("resume", [True, False])
def test_job_that_gets_further_each_time_may_lose_any_number_of_workers(cast, declare, resume):
    begun = []

    def work(run, count):
        begun.append(run.attempt)
        for number, batch in enumerate(run.batches(range(count), size=1, resume=resume)):
            if number == 1:
                raise Killed
            db.session.add(Todo(owner_id=cast.alice.id, title=f"Row {batch[0]}"))
        return {}

    job = submit_for(cast.alice.id, declare(work), count=6)
    for _ in range(6):
        with suppress(Killed):
            execute(job.id)
        expire_lease(job.id)
    assert len(begun) == (6 if resume else MAX_ATTEMPTS)
    assert reread(job).attempts_left == (MAX_ATTEMPTS - 1 if resume else 0)
    assert (reread(job).status == "succeeded") == resume


def test_error_that_passes_is_tried_again_as_long_as_the_job_gets_further(cast, declare):
    def work(run, count):
        for number, batch in enumerate(run.batches(range(count), size=1)):
            if number == 1:
                raise ConnectionError
            db.session.add(Todo(owner_id=cast.alice.id, title=f"Row {batch[0]}"))
        return {}

    job = submit_for(cast.alice.id, declare(work, retry_on=(ConnectionError,), backoff=(0, 0)), count=6)
    for _ in range(6):
        execute(job.id)
    assert (reread(job).status, len(titles())) == ("succeeded", 6)


def test_killed_job_that_leaves_nothing_behind_starts_over(cast, declare):
    collected = []

    def work(run):
        mine = []
        for batch in run.batches(["a", "b", "c"], size=1, resume=False):
            die_at("c")(run, batch[0])
            mine += batch
        collected.extend(mine)
        return {}

    job = submit_for(cast.alice.id, declare(work))
    run_killed(job)
    execute(job.id)
    assert (reread(job).status, reread(job).attempt) == ("succeeded", 2)
    assert collected == ["a", "b", "c"]


def test_superseded_attempt_cannot_advance_and_its_batch_is_rolled_back(cast, declare, elsewhere):
    def lose(run, item):
        if item == 1:
            assert elsewhere(take_over, run.job_id) == [2]

    job = submit_for(cast.alice.id, declare(adding(cast.alice, before=lose)), count=3)
    execute(job.id)
    found = reread(job)
    assert (found.status, found.attempt, found.progress_done) == ("running", 2, 1)
    assert titles() == ["Row 0"]


@pytest.mark.parametrize("fails", [False, True])
def test_superseded_attempt_cannot_finish_and_its_last_work_is_rolled_back(cast, declare, elsewhere, fails):
    def work(run):
        elsewhere(take_over, run.job_id)
        db.session.add(Todo(owner_id=cast.alice.id, title="Too late"))
        if fails:
            raise Invalid("There is nothing to do.")
        return {"too": "late"}

    job = submit_for(cast.alice.id, declare(work))
    execute(job.id)
    found = reread(job)
    assert (found.status, found.attempt, found.result, found.error) == ("running", 2, None, None)
    assert titles() == []


def test_each_batch_renews_the_lease(cast, declare, elsewhere):
    leases = []

    def note(run, item):
        leases.append(db.session.scalar(select(Job.lease_expires_at).where(Job.id == run.job_id)))

    job = submit_for(cast.alice.id, declare(adding(cast.alice, before=note)), count=3)
    execute(job.id)
    assert leases == sorted(set(leases))
    assert len(leases) == 3


def test_step_that_takes_longer_than_the_lease_keeps_it(cast, declare, elsewhere, monkeypatch):
    monkeypatch.setattr(jobs_runs, "LEASE", timedelta(seconds=1.5))

    def lease():
        return db.session.scalar(select(Job.lease_expires_at))

    def work(run):
        [first] = elsewhere(lease)
        wait_until(lambda: elsewhere(lease) > [first + jobs_runs.LEASE], "the lease was renewed more than once")
        return {"taken": elsewhere(jobs_runs.claim, run.job_id)}

    job = submit_for(cast.alice.id, declare(work))
    execute(job.id)
    assert (reread(job).status, reread(job).attempt, reread(job).result) == ("succeeded", 1, {"taken": [None]})


def test_superseded_attempt_cannot_renew_the_lease(cast):
    job = create_job(cast.alice, "running", lease_expires_at=utcnow())
    assert take_over(job.id) == 2
    with pytest.raises(jobs_runs.Superseded):
        jobs_runs.renew(job.id, 1)
    jobs_runs.renew(job.id, 2)


def test_job_is_not_tried_a_fourth_time(cast, declare):
    facts = {"attempt": MAX_ATTEMPTS, "lease_expires_at": utcnow() - timedelta(seconds=1), "args": {"count": 1}}
    job = create_job(cast.alice, "running", name=declare(adding(cast.alice)).name, **facts)
    execute(job.id)
    assert (reread(job).status, reread(job).attempt) == ("running", MAX_ATTEMPTS)
    assert titles() == []


@pytest.mark.parametrize("loss", ["right", "account", "owner"])
def test_job_of_somebody_who_lost_the_right_meanwhile_fails(cast, viewer, declare, loss):
    spec = declare(adding(cast.ada), permission=("can_add", "Todo"))
    job = submit(viewer("alice"), spec, count=1)
    with transaction() as session:
        if loss == "right":
            cast.alice.roles = list(cast.vera.roles)
        elif loss == "account":
            cast.alice.active = False
        else:
            session.delete(cast.alice)
    execute(job.id)
    assert reread(job).status == "failed"
    assert reread(job).error.startswith("No longer permitted")
    assert titles() == []


def test_send_without_redis_keeps_the_job_queued(cast, make_app):
    job = create_job(cast.alice)
    with make_app(REDIS_URL="unix:///nowhere/valkey.sock").app_context():
        assert send(job) == 0
    assert (reread(job).status, reread(job).sent_at) == ("queued", None)
