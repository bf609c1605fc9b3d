"""Redis that is down, hangs, forgets or comes back: nothing is lost, pages answer."""

from contextlib import suppress
from socket import AF_UNIX, SHUT_RDWR
from socket import socket as Socket
from threading import Thread

import pytest
from redis import Redis
from sqlalchemy import select, update

from app.db import transaction, utcnow
from app.extensions import db
from app.models import Job, Todo
from app.services.jobs_sweep import RESEND_AFTER
from app.tasks import queue
from app.tasks.runner import send, sweep
from tests.factories import create_job, create_todo
from tests.faults.conftest import BEAT, BEATS
from tests.faults.processes import wait_until


def ask_for_export(client):
    answer = client.send("/selection/export?all=1", {"kind": "csv"})
    assert answer.status_code == 302
    return client.get(answer.location).text


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_page_answers_and_keeps_the_job_while_redis_is_away(faulty, login, cast, broker, fault):
    create_todo(cast.alice)
    client = login("alice", on=faulty)
    getattr(broker, fault)()
    assert "The queue cannot be reached at the moment" in ask_for_export(client)
    job = db.session.scalar(select(Job))
    assert (job.status, job.sent_at) == ("queued", None)
    ready = client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json["redis"] == "does not answer: jobs wait"
    broker.start()
    broker.resume()
    assert sweep() == 1
    assert "The queue cannot be reached" not in client.get(f"/jobs/{job.id}").text


def test_page_asks_a_redis_that_hangs_only_once_and_for_two_seconds_at_most(make_app, login, cast, scratch):
    asked = []
    (scratch / "hangs.sock").unlink(missing_ok=True)
    with Socket(AF_UNIX) as listener:
        listener.bind(str(scratch / "hangs.sock"))
        listener.listen()

        def hang():
            with suppress(OSError):
                while True:
                    asked.append(listener.accept())

        Thread(target=hang, daemon=True).start()
        other = make_app(REDIS_URL=f"unix://{scratch / 'hangs.sock'}")
        todo = create_todo(cast.alice)
        answer = login("alice", on=other).send(f"/selection/export?id={todo.id}", {"kind": "csv"})
        listener.shutdown(SHUT_RDWR)
    assert answer.status_code == 302
    assert len(asked) == 1
    for connection, _ in asked:
        connection.close()
    options = other.extensions["celery"].conf.broker_transport_options | queue.SEND_OPTIONS
    assert options["socket_connect_timeout"] + options["socket_timeout"] <= 2
    assert options["max_retries"] == 0


def test_login_works_while_redis_is_away(faulty, cast, broker):
    broker.kill()
    client = faulty.test_client()
    answer = client.send("/login/", {"username": "alice", "password": "plain horse battery staple"})
    assert answer.status_code == 302
    assert client.get("/todos").status_code == 200


def test_job_runs_when_redis_is_back_without_a_restart_of_anything(start, ended, faulty, login, cast, broker):
    create_todo(cast.alice)
    worker = start()
    beat = start(BEAT, BEATS)
    broker.kill()
    ask_for_export(login("alice", on=faulty))
    job = db.session.scalar(select(Job))
    assert job.sent_at is None
    db.session.rollback()
    broker.start()
    assert ended(job).status == "succeeded"
    assert worker.is_running()
    assert beat.is_running()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True, scope="session")  # it is not asked
def test_worker_and_scheduler_say_in_a_few_lines_that_redis_takes_nothing(start, broker, faulty):
    worker, beat = start(), start(BEAT, BEATS)
    with Redis.from_url(broker.url) as redis:
        redis.replicaof("127.0.0.1", "1")
        tried = redis.info("stats")["total_connections_received"] + 15
        wait_until(
            lambda: redis.info("stats")["total_connections_received"] > tried, "the worker tries again and again"
        )
        beat.wait_for("Couldn't apply scheduled task")
        redis.replicaof("NO", "ONE")
    taken = worker.output().count("jobs.sweep[")
    wait_until(lambda: worker.output().count("jobs.sweep[") > taken, "the worker takes messages again")
    assert worker.output().count("Connection to broker lost") == 1
    assert worker.output().count("Cannot connect to redis") == 1
    assert worker.output().count("Frequent restarts detected") <= 1
    assert "PendingDeprecationWarning" not in worker.output()
    assert "Traceback" not in beat.output()


def test_job_whose_message_redis_forgot_is_sent_again_when_a_worker_starts(start, ended, cast, broker, faulty):
    job = create_job(cast.alice, name="tests.row", args={})
    send(job)
    with Redis.from_url(broker.url) as redis:
        redis.flushall()
    with transaction() as session:
        session.execute(update(Job).values(sent_at=utcnow() - RESEND_AFTER))
    start()
    assert ended(job).status == "succeeded"


def test_redis_that_dies_in_the_middle_of_a_job_loses_and_doubles_nothing(start, slow, ended, broker):
    worker = start()
    send(slow.job)
    slow.pid()
    broker.kill()
    broker.start()
    with transaction() as session:
        session.execute(update(Job).values(lease_expires_at=utcnow() - RESEND_AFTER))
    assert sweep() == 1
    job = ended(slow.job)
    slow.open()
    assert (job.status, job.attempt) == ("succeeded", 2)
    assert worker.terminate() == 0
    assert list(db.session.scalars(select(Todo.title).order_by(Todo.id))) == ["Row 0", "Row 1", "Row 2", "Row 3"]
