"""Stopping a job: at once while it waits, at its next batch while it runs, by its owner or a manager only."""

from threading import Event

import pytest
from sqlalchemy import select

from app.db import transaction, utcnow
from app.errors import NotFound
from app.extensions import db
from app.models import Job, Todo
from app.services import jobs, jobs_runs
from app.services.jobs_parts import Part
from app.tasks.runner import execute, submit_for
from tests.factories import create_job
from tests.jobs.test_engine import reread, titles


def test_queued_job_is_cancelled_at_once_and_never_runs(login, cast, declare):
    ran = []
    job = submit_for(cast.alice.id, declare(lambda run: ran.append(run) or {}))
    answer = login("alice").send(f"/jobs/{job.id}/cancel")
    assert answer.status_code == 302
    assert reread(job).status == "cancelled"
    assert reread(job).finished_at is not None
    execute(job.id)
    assert ran == []
    assert (reread(job).status, reread(job).attempt) == ("cancelled", 0)


def test_running_job_stops_at_its_next_batch_and_keeps_the_earlier_ones(cast, viewer, declare, elsewhere):
    alice = viewer("alice")

    def work(run):
        for batch in run.batches(range(4), size=1):
            if batch[0] == 2:
                elsewhere(jobs.request_cancel, alice, job)
            db.session.add(Todo(owner_id=alice.id, title=f"Row {batch[0]}"))
        return {}

    job = submit_for(alice.id, declare(work))
    job_id = job.id
    execute(job_id)
    found = db.session.get(Job, job_id, populate_existing=True)
    assert (found.status, found.progress_done, found.result, found.error) == ("cancelled", 2, None, None)
    assert titles() == ["Row 0", "Row 1"]


def test_running_job_keeps_running_until_it_notices(login, cast):
    job = create_job(cast.alice, "running", lease_expires_at=utcnow())
    login("alice").send(f"/jobs/{job.id}/cancel")
    assert reread(job).status == "running"
    assert reread(job).cancel_requested_at is not None
    assert "Stopping …" in login("alice").get(f"/jobs/{job.id}").text


def test_abandoned_job_that_was_to_stop_is_not_taken_over(cast):
    job = create_job(cast.alice, "running", lease_expires_at=utcnow(), cancel_requested_at=utcnow())
    assert jobs_runs.claim(job.id) is None


@pytest.mark.parametrize("how", ["handed back", "split"])
def test_cancel_holds_while_a_worker_hands_the_job_back_or_splits_it(app, cast, elsewhere, how):
    job = create_job(cast.alice, "running", attempt=1, lease_expires_at=utcnow())
    written, asked = Event(), Event()

    def work():
        with transaction():
            if how == "split":
                jobs_runs.split(job, [Part({}), Part({})])
            else:
                jobs_runs.put_back(job.id, job.attempt)
            written.set()
            asked.wait(1)  # PostgreSQL lets the other wait for our end, SQLite for our begin

    def cancel():
        written.wait()
        jobs.stop(job)
        asked.set()

    works = iter((work, cancel))
    elsewhere(lambda: next(works)(), times=2)
    assert {reread(job).status} | set(db.session.scalars(select(Job.status))) == {"cancelled"}


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_ended_job_stays_as_it_ended(login, cast, status):
    ended = utcnow()
    job = create_job(cast.alice, status, finished_at=ended)
    assert login("alice").send(f"/jobs/{job.id}/cancel").status_code == 302
    found = reread(job)
    assert (found.status, found.finished_at, found.cancel_requested_at) == (status, ended, None)


def test_cancelling_twice_says_the_same(login, cast):
    job = create_job(cast.alice)
    client = login("alice")
    assert [client.send(f"/jobs/{job.id}/cancel").status_code for _ in range(2)] == [302, 302]
    assert reread(job).status == "cancelled"


@pytest.mark.parametrize("status", ["queued", "running"])
@pytest.mark.parametrize("name", ["bob", "vera"])
def test_others_cannot_cancel(login, cast, name, status):
    job = create_job(cast.alice, status)
    assert login(name).send(f"/jobs/{job.id}/cancel").status_code == 404
    assert (reread(job).status, reread(job).cancel_requested_at) == (status, None)


def test_service_itself_refuses_others(cast, viewer):
    job = create_job(cast.alice)
    with pytest.raises(NotFound):
        jobs.request_cancel(viewer("bob"), job)
    assert reread(job).status == "queued"


@pytest.mark.parametrize("name", ["max", "ada"])
@pytest.mark.parametrize("owner", ["alice", None])
def test_managers_cancel_jobs_of_others_and_of_the_system(login, cast, name, owner):
    job = create_job(getattr(cast, owner) if owner else None)
    login(name).send(f"/jobs/{job.id}/cancel")
    assert reread(job).status == "cancelled"


@pytest.mark.parametrize("method", ["get", "post"])
def test_cancelling_takes_a_form_of_ours(login, cast, method):
    job = create_job(cast.alice)
    answer = getattr(login("alice"), method)(f"/jobs/{job.id}/cancel")
    assert answer.status_code == {"get": 405, "post": 400}[method]
    assert reread(job).status == "queued"


def test_cancelled_work_can_be_started_again(cast, viewer, declare):
    spec = declare(lambda run: {})
    first = submit_for(cast.alice.id, spec)
    jobs.request_cancel(viewer("alice"), first)
    second = submit_for(cast.alice.id, spec)
    assert second.id != first.id
    execute(second.id)
    assert reread(second).status == "succeeded"
    assert db.session.query(Job).count() == 2
