"""Hundreds of small jobs: what the worker holds, and what Redis keeps, does not grow with them."""

from dataclasses import dataclass

import psutil
from redis import Redis
from sqlalchemy import func, select

from app.extensions import db
from app.models import Job, Todo
from app.tasks.runner import send
from tests.factories import create_job
from tests.faults.processes import wait_until

COUNT = 60  # of each half
LEAK_KB = 50  # of memory for each job, which no noise comes near


@dataclass
class Held:
    """What a worker and its children hold, and Redis for them."""

    keys: set[bytes]
    clients: int
    files: int
    kilobytes: int


def held(worker, redis):
    """Look at it once nothing is under way."""
    wait_until(lambda: not redis.exists("todos:unacked"), "the last message is acknowledged")
    family = [psutil.Process(worker.popen.pid), *psutil.Process(worker.popen.pid).children()]
    return Held(
        {key for key in redis.scan_iter("*") if b"unacked" not in key},
        len(redis.client_list()),
        sum(process.num_fds() for process in family),
        sum(process.memory_info().rss for process in family) >> 10,
    )


def test_worker_and_redis_hold_no_more_after_twice_as_many_jobs(start, faulty, cast, broker):
    worker = start()

    def run(total):
        send(*(create_job(cast.alice, name="tests.row", args={"title": str(n)}) for n in range(total - COUNT, total)))

        def are_done():
            db.session.rollback()
            return db.session.scalar(select(func.count()).where(Job.status == "succeeded")) == total

        wait_until(are_done, f"{total} jobs ended\n{worker.output()[-3000:]}")

    with Redis.from_url(broker.url) as redis:
        run(COUNT)
        first = held(worker, redis)
        run(2 * COUNT)
        second = held(worker, redis)
    assert db.session.scalar(select(func.count()).select_from(Todo)) == 2 * COUNT
    assert second.keys == first.keys
    assert second.clients <= first.clients
    assert second.files < first.files + COUNT / 10  # a sweep may have some open at the moment
    assert second.kilobytes - first.kilobytes < LEAK_KB * COUNT
