"""Jobs in real workers: run once whatever is killed, doubled or thrown at them."""

import os
import pickle
import signal
from base64 import b64encode
from datetime import timedelta

import pytest
from kombu import Connection, Exchange, Queue
from redis import Redis
from sqlalchemy import select, update

from app.db import transaction, utcnow
from app.extensions import db
from app.models import Job, Todo
from app.tasks.runner import send, sweep
from tests.factories import create_job, create_todo
from tests.faults.conftest import WORKER, hasty
from tests.faults.poison import MESSAGES
from tests.faults.processes import wait_until

ROWS = ["Row 0", "Row 1", "Row 2", "Row 3"]


def titles():
    return list(db.session.scalars(select(Todo.title).order_by(Todo.id)))


def expire_lease(job):
    with transaction() as session:
        past = utcnow() - timedelta(seconds=1)
        session.execute(update(Job).where(Job.id == job.id).values(lease_expires_at=past))


def test_export_runs_end_to_end_with_its_id_in_the_log(start, ended, login, cast, faulty):
    create_todo(cast.alice, '=Mine, in a "cell"')
    create_todo(cast.bob, "Not for Alice")
    worker = start()
    client = login("alice", on=faulty)
    page = client.send("/selection/export?all=1", {"kind": "csv"}, follow_redirects=True).text
    assert "The queue cannot be reached" not in page
    job = ended(db.session.scalar(select(Job)))
    assert (job.status, job.result["todos"], job.attempt) == ("succeeded", 1, 1)
    data = client.get(f"/files/{job.result['attachment_id']}").data.decode("utf-8-sig")
    assert '"\'=Mine, in a ""cell"""' in data
    assert "Not for Alice" not in data
    worker.wait_for(f"job {job.id} succeeded")
    assert f"INFO job-{job.id} app.tasks.runner: job {job.id} todos.export starts, attempt 1" in worker.output()


def test_job_of_a_killed_worker_is_finished_by_another(start, slow, ended):
    first = start()
    send(slow.job)
    slow.pid()
    first.kill()
    assert titles() == ["Row 0", "Row 1"]
    db.session.rollback()
    expire_lease(slow.job)
    start()
    sweep()
    job = ended(slow.job)
    assert (job.status, job.attempt, job.progress_done) == ("succeeded", 2, 4)
    assert titles() == ROWS


def test_job_of_a_killed_child_is_finished_by_the_same_worker(start, slow, ended):
    worker = start()
    send(slow.job)
    os.kill(slow.pid(), signal.SIGKILL)
    expire_lease(slow.job)
    sweep()
    job = ended(slow.job)
    assert (job.status, job.attempt) == ("succeeded", 2)
    assert titles() == ROWS
    assert worker.is_running()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True, scope="session")  # the order is that of Redis
def test_worker_empties_the_interactive_queue_before_it_looks_into_the_other(start, ended, cast):
    queues = ("bulk", "bulk", "interactive", "interactive")
    waiting = [create_job(cast.alice, name="tests.row", args={}, queue=queue) for queue in queues]
    send(*waiting)
    start(WORKER_CONCURRENCY="1")
    begun = sorted((ended(job).started_at, job.queue) for job in waiting)
    assert [queue for _, queue in begun] == ["interactive", "interactive", "bulk", "bulk"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True, scope="session")  # it is not asked
def test_job_that_takes_too_long_is_told_and_then_its_process_killed(start, ended, cast):
    found = [create_job(None, name="tests.long", args={"stubborn": stubborn}, time_limit=1) for stubborn in (0, 1)]
    send(*found)
    worker = start()
    for job in map(ended, found):
        assert (job.status, job.error, job.attempt) == ("failed", "It took longer than 1 seconds.", 1)
    assert worker.output().count("Hard time limit") == 1


def test_message_delivered_five_times_at_once_runs_once(start, slow, ended):
    workers = [start([*WORKER, "-n", name]) for name in ("one@host", "two@host")]
    for _ in range(5):
        send(slow.job)
    refused = f"job {slow.job.id} is not to be had"
    wait_until(lambda: sum(worker.output().count(refused) for worker in workers) >= 4, "four found nothing to do")
    slow.open()
    job = ended(slow.job)
    assert (job.status, job.attempt) == ("succeeded", 1)
    assert titles() == ROWS


def test_strange_messages_leave_the_worker_alive(start, ended, cast, broker, tmp_path):
    jobs = Queue("interactive", Exchange("interactive"), routing_key="interactive")
    options = {"global_keyprefix": "todos:"}
    bomb = tmp_path / "executed"
    with Connection(broker.url.replace("unix://", "redis+socket://"), transport_options=options) as connection:
        producer = connection.Producer()

        def push(body, task="todos.export", **facts):
            headers = {"task": task, "id": "1", "lang": "py", "argsrepr": "", "kwargsrepr": "", "retries": 0}
            producer.publish(body, headers=headers, exchange="", routing_key=jobs.name, **facts)

        push(
            f"cposix\nsystem\n(S'touch {bomb}'\ntR.".encode(),
            content_type="application/x-python-serialize",
            content_encoding="binary",
        )
        push(b64encode(pickle.dumps([[1], {}, {}])).decode(), content_type="application/x-python-serialize")
        push([[1], {}, {}], task="os.system", serializer="json")
        push([["no number"], {}, {}], serializer="json")
        push([[], {}, {}], serializer="json")
    worker = start()
    job = create_job(cast.alice, name="tests.row", args={})
    send(job)
    assert ended(job).status == "succeeded"
    assert worker.is_running()
    assert not bomb.exists()
    worker.wait_for("os.system")


def test_malformed_messages_leave_the_worker_alive_and_free(start, ended, cast, broker):
    with Redis.from_url(broker.url) as redis:
        redis.lpush("todos:interactive", *MESSAGES.values())
        worker = start([*WORKER, "--concurrency", "1"])
        job = create_job(cast.alice, name="tests.row", args={})
        send(job)
        assert ended(job).status == "succeeded"
        assert worker.is_running()
        wait_until(lambda: not redis.exists("todos:unacked"), "no message holds a place in the worker")


def test_worker_that_is_told_to_end_finishes_its_job_and_leaves_the_next(start, slow, ended, cast):
    worker = start([*WORKER, "--concurrency", "1"])
    send(slow.job)
    slow.pid()
    following = create_job(cast.alice, name="tests.row", args={})
    send(following)
    worker.popen.send_signal(signal.SIGTERM)
    worker.wait_for("Warm shutdown")
    slow.open()
    assert worker.popen.wait(30) == 0
    assert ended(slow.job).attempt == 1
    assert titles() == ROWS
    waiting = db.session.get(Job, following.id, populate_existing=True)
    assert (waiting.status, waiting.attempt) == ("queued", 0)


def test_cancelled_job_stops_in_the_worker(start, slow, ended, login, faulty):
    start()
    send(slow.job)
    slow.pid()
    login("alice", on=faulty).send(f"/jobs/{slow.job.id}/cancel")
    slow.open()
    assert ended(slow.job).status == "cancelled"
    assert titles() == ["Row 0", "Row 1"]


def test_message_of_a_killed_worker_is_given_back_by_another_and_then_gone(start, slow, ended, broker):
    first = start(hasty(WORKER))
    send(slow.job)
    slow.pid()
    first.kill()
    with Redis.from_url(broker.url) as redis:
        assert redis.hlen("todos:unacked") == 1
        slow.open()
        start(hasty(WORKER))
        assert ended(slow.job).status == "succeeded"
        wait_until(lambda: not redis.exists("todos:unacked", "todos:unacked_index"), "Redis keeps nothing of it")
    assert titles() == ROWS
