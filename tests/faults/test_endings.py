"""Workers and jobs that are ended on purpose: nothing that was accepted is lost, nothing comes twice."""

import signal
import time

import psutil
from sqlalchemy import select

from app.extensions import db
from app.models import Job, Todo
from app.services import jobs
from app.tasks.runner import send
from tests.factories import create_job
from tests.faults.conftest import BEAT, BEATS, WORKER, hasty
from tests.faults.processes import PATIENCE, wait_until


def titles():
    return list(db.session.scalars(select(Todo.title).order_by(Todo.id)))


def test_worker_that_is_told_to_end_hands_its_job_back_after_the_batch(start, slow, ended):
    first = start(hasty(WORKER))
    send(slow.job)
    slow.pid()
    first.popen.send_signal(signal.SIGTERM)
    first.wait_for("Warm shutdown")
    time.sleep(1.1)  # longer than this worker lets jobs go on
    slow.open()
    assert first.popen.wait(PATIENCE) == 0
    left = db.session.get(Job, slow.job.id, populate_existing=True)
    assert (left.status, left.attempt, left.excused, left.progress_done) == ("queued", 1, 1, 3)
    assert titles() == ["Row 0", "Row 1", "Row 2"]
    db.session.rollback()
    start(hasty(WORKER))
    assert (ended(slow.job).status, ended(slow.job).attempt) == ("succeeded", 2)
    assert titles() == ["Row 0", "Row 1", "Row 2", "Row 3"]


def test_worker_that_is_told_to_end_while_it_hands_out_a_job_ends_soon(start, ended, cast):
    worker = start([*hasty(WORKER), "--concurrency", "1"])
    child = psutil.Process(worker.popen.pid).children()[0]
    child.suspend()  # takes the job up only after its parent has stopped to listen
    job = create_job(cast.alice, name="tests.row", args={})
    send(job)
    worker.wait_for("] received")
    worker.popen.send_signal(signal.SIGTERM)
    wait_until(lambda: psutil.Process(worker.popen.pid).num_threads() > 1, "the worker waits for its child")
    child.resume()
    assert worker.popen.wait(10) == 0
    start(hasty(WORKER))  # on a busy machine the first may be told before it has handed the job out at all
    assert ended(job).status == "succeeded"
    assert (job.attempt - job.excused, titles()) == (1, ["Row"])


def test_rolling_restart_of_workers_under_load_costs_no_attempt(start, ended, cast):
    patient = {"SECONDS_OF_LEASE": "30"}  # no lease runs out by a busy machine alone, which would cost an attempt
    workers = [start([*hasty(WORKER), "-n", f"{name}@host"], **patient) for name in ("one", "two")]
    start(hasty(BEAT), BEATS, **patient)
    whole = create_job(cast.alice, name="tests.parts", args={"count": 1000, "size": 50})
    small = [create_job(cast.alice, name="tests.row", args={"title": f"Small {number}"}) for number in range(30)]
    send(whole, *small)
    for number, old in enumerate(workers):
        start([*hasty(WORKER), "-n", f"new-{number}@host"], **patient)
        assert old.terminate() == 0
    for job in (whole, *small):
        assert ended(job).status == "succeeded"
    assert sorted(titles()) == sorted([f"Row {n}" for n in range(1000)] + [f"Small {n}" for n in range(30)])
    spent = db.session.execute(select(Job.attempt - Job.excused).where(Job.id != whole.id))
    assert {attempts for (attempts,) in spent} == {1}


def test_cancel_holds_in_every_state(start, slow, ended, cast, faulty):
    facts = {"name": "tests.row", "args": {}}
    queued, done = create_job(cast.alice, **facts), create_job(cast.alice, "succeeded", **facts)
    send(queued)
    jobs.stop(queued)  # with no worker up: its message stays
    worker = start([*hasty(WORKER), "--concurrency", "1"])
    send(slow.job)
    slow.pid()
    jobs.stop(slow.job)
    worker.kill()  # nobody is left to notice
    start([*hasty(WORKER), "-n", "next@host"])
    start(hasty(BEAT), BEATS)
    assert ended(slow.job).status == "cancelled"
    planned = create_job(cast.alice, name="tests.parts", args={"count": 400, "size": 200})
    send(planned)

    def parts():
        db.session.rollback()
        return db.session.scalar(select(Job.id).where(Job.parent_id == planned.id, Job.status == "running"))

    wait_until(parts, "its parts run")
    jobs.stop(planned)
    jobs.stop(done)
    assert [ended(job).status for job in (queued, slow.job, planned, done)] == ["cancelled"] * 3 + ["succeeded"]

    def all_parts_ended():
        db.session.rollback()
        return set(db.session.scalars(select(Job.status).where(Job.parent_id == planned.id))) <= {"cancelled"}

    wait_until(all_parts_ended, "all parts are cancelled")
    assert "Row" not in titles()
    assert len(titles()) < 402
