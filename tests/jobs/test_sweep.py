"""The sweeper: sends what was not sent, takes back what a dead worker held, ends what cannot go on."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app import create_app
from app.db import utcnow
from app.extensions import db
from app.models import Notification
from app.services import jobs_sweep
from app.tasks.runner import execute, sweep
from app.tasks.schedule import SCHEDULE
from app.tasks.turns import BEAT, tick
from tests.conftest import settings
from tests.factories import create_job
from tests.jobs.test_engine import reread

MAX_ATTEMPTS = 3
MINUTE = timedelta(minutes=1)
SENT = {
    "never sent": ("queued", lambda now: {}),
    "sent long ago": ("queued", lambda now: {"sent_at": now - jobs_sweep.RESEND_AFTER - MINUTE}),
    "abandoned": ("running", lambda now: {"sent_at": now, "lease_expires_at": now - MINUTE}),
    "abandoned twice": ("running", lambda now: {"attempt": 2, "lease_expires_at": now - MINUTE}),
}
LEFT = {
    "just sent": ("queued", lambda now: {"sent_at": now}),
    "alive": ("running", lambda now: {"lease_expires_at": now + MINUTE}),
    "succeeded": ("succeeded", lambda now: {}),
    "failed": ("failed", lambda now: {}),
    "cancelled": ("cancelled", lambda now: {}),
}


@pytest.fixture
def frozen_clock(monkeypatch):
    """The present instant, for as long as the test runs."""
    now = utcnow()
    monkeypatch.setattr("app.db.clock", lambda: now)
    return now


@pytest.mark.parametrize("state", SENT)
def test_sweep_sends_what_nobody_works_on(cast, queue, state):
    status, facts = SENT[state]
    job = create_job(cast.alice, status, **facts(utcnow()))
    before = utcnow()
    assert sweep() == 1
    assert len(queue) == 1
    assert reread(job).sent_at >= before


@pytest.mark.parametrize("state", LEFT)
def test_sweep_leaves_the_others_alone(cast, queue, state):
    status, facts = LEFT[state]
    job = create_job(cast.alice, status, **facts(utcnow()))
    sent_at = job.sent_at
    assert sweep() == 0
    assert len(queue) == 0
    assert (reread(job).status, reread(job).sent_at) == (status, sent_at)


def test_urgent_jobs_are_sent_first_and_of_those_the_ones_that_never_were(cast):
    long_ago = utcnow() - jobs_sweep.RESEND_AFTER - MINUTE
    facts = [("bulk", None), ("interactive", long_ago), ("interactive", None), ("bulk", long_ago)]
    bulk, sent, unsent, old = [create_job(cast.alice, queue=queue, sent_at=at).id for queue, at in facts]
    assert [job.id for job in jobs_sweep.to_send()] == [unsent, sent, bulk, old]


@pytest.mark.parametrize(("quiet", "is_sent"), [(timedelta(minutes=4, seconds=50), False), (5 * MINUTE, True)])
def test_job_that_has_waited_long_is_sent_again_less_often(cast, frozen_clock, quiet, is_sent):
    sent_at = frozen_clock - quiet
    job = create_job(cast.alice, sent_at=sent_at, created_at=sent_at - 8 * MINUTE)
    assert [found.id for found in jobs_sweep.to_send()] == [job.id] * is_sent


def test_second_sweep_sends_nothing_twice(cast, queue):
    for _ in range(3):
        create_job(cast.alice)
    assert [sweep(), sweep()] == [3, 0]
    assert len(queue) == 3


def test_swept_job_runs_on_as_a_further_attempt(cast, declare, queue):
    spec = declare(lambda run: {"attempt": run.attempt})
    facts = {"name": spec.name, "args": {}, "lease_expires_at": utcnow() - MINUTE}
    job = create_job(cast.alice, "running", **facts)
    sweep()
    execute(job.id)
    assert (reread(job).status, reread(job).result) == ("succeeded", {"attempt": 2})


def test_sweep_fails_a_job_whose_worker_died_too_often(cast, queue):
    facts = {"attempt": MAX_ATTEMPTS, "lease_expires_at": utcnow() - MINUTE}
    job = create_job(cast.alice, "running", **facts)
    assert sweep() == 0
    found = reread(job)
    assert (found.status, found.error) == ("failed", "The worker stopped unexpectedly 3 times.")
    assert found.finished_at is not None
    assert found.lease_expires_at is None
    assert db.session.execute(select(Notification.user_id, Notification.job_id)).all() == [(cast.alice.id, job.id)]


@pytest.mark.parametrize("attempt", [1, MAX_ATTEMPTS])
def test_sweep_ends_an_abandoned_job_that_was_to_stop(cast, queue, attempt):
    facts = {"attempt": attempt, "lease_expires_at": utcnow() - MINUTE, "cancel_requested_at": utcnow()}
    job = create_job(cast.alice, "running", **facts)
    assert sweep() == 0
    assert (reread(job).status, reread(job).error) == ("cancelled", None)


def test_sweep_without_redis_still_ends_what_cannot_go_on(cast, make_app):
    waiting = create_job(cast.alice)
    dead = create_job(cast.alice, "running", attempt=3, lease_expires_at=utcnow() - MINUTE)
    with make_app(REDIS_URL="unix:///nowhere/valkey.sock").app_context():
        assert sweep() == 0
    assert (reread(waiting).status, reread(waiting).sent_at) == ("queued", None)
    assert reread(dead).status == "failed"


def test_beat_sweeps_by_the_clock(app):
    celery = app.extensions["celery"]
    assert BEAT["jobs.sweep"] == (15, tick)
    for name, line in celery.conf.beat_schedule.items():
        assert line["task"] in celery.tasks
        assert line["schedule"] == BEAT[name][0]
    assert set(celery.conf.beat_schedule) == set(BEAT)


@pytest.mark.parametrize(("task", "args", "what"), [("jobs.sweep", (), "schedule"), ("todos.export", (7,), "job-7")])
def test_message_that_comes_while_the_database_is_away_leaves_one_line(valkey, caplog, task, args, what):
    away = create_app(settings("postgresql+psycopg://todos@127.0.0.1:9/todos", valkey))
    away.extensions["celery"].tasks[task](*args)
    assert [line.partition(": ")[0] for line in caplog.messages] == [f"the database does not answer, {what} waits"]
    assert [record.exc_info for record in caplog.records] == [None]


def test_two_applications_in_a_process_have_tasks_of_their_own(cast, make_app, queue):
    apart, within_reach = make_app(REDIS_URL="unix:///nowhere/valkey.sock"), make_app()
    create_job(cast.alice)
    apart.extensions["celery"].tasks["jobs.sweep"]()
    assert len(queue) == 0
    within_reach.extensions["celery"].tasks["jobs.sweep"]()
    assert len(queue) == 1 + len(SCHEDULE)


def test_task_of_the_schedule_runs_without_a_request(app, cast, queue):
    create_job(cast.alice)
    app.extensions["celery"].tasks["jobs.sweep"]()
    assert len(queue) == 1 + len(SCHEDULE)
