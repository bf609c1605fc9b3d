"""Redis that is restarted, forgets, hangs, is full or read-only while jobs are submitted and run: each runs once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from redis import Redis
from sqlalchemy import select

from app.db import utcnow
from app.extensions import db
from app.models import Attachment, Job, JobWorker, Todo
from app.tasks.runner import send
from tests.factories import create_job, create_todo
from tests.faults.processes import environment, heal, wait_until
from tests.faults.visitors import Site, Visitor
from tools.valkey import Server


def fill(broker: Server) -> None:
    with Redis.from_url(broker.url) as redis:
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", 1)


def make_read_only(broker: Server) -> None:
    with Redis.from_url(broker.url) as redis:
        redis.replicaof("127.0.0.1", "1")


def empty(broker: Server) -> None:
    with Redis.from_url(broker.url) as redis:
        redis.flushall()


@dataclass
class Fault:
    """What happens to Redis, and how many jobs are submitted meanwhile."""

    begin: Callable[[Server], None]
    submitted: int = 20
    loses: bool = True  # whether it takes no message


FAULTS = {
    "stopped": Fault(Server.kill),
    "flushed": Fault(empty, loses=False),
    "paused": Fault(Server.pause, submitted=1),  # each waits for a second
    "full": Fault(fill),
    "read-only": Fault(make_read_only),
}


class Work:
    """Jobs that are submitted: exports through pages, and rows of whose number each is added once."""

    def __init__(self, owner, visitor):
        self.owner, self.visitor, self.titles, self.exports = owner, visitor, [], set()
        self.todo = create_todo(owner, "Exported").id

    def add(self, number):
        for _ in range(number):
            self.titles.append(f"Row {len(self.titles)}")
            send(create_job(self.owner, name="tests.row", args={"title": self.titles[-1]}))

    def use_pages(self):
        """Look at pages and ask for an export; none may take longer than the visitor waits."""
        self.visitor.ask("/todos")
        self.exports.add(self.visitor.export(self.todo))

    def is_done(self):
        left = db.session.scalar(select(Job.id).where(Job.status.in_(("queued", "running"))).limit(1))
        db.session.rollback()
        return left is None


@pytest.fixture(scope="module")
def site(migrated, broker, scratch):
    """A web server that all tests share, since nothing may end it."""
    found = Site(environment(migrated, broker.url), scratch / "web.log")
    found.wait()
    yield found
    found.process.kill()


@pytest.fixture
def visitor(site, login, make_app):
    """Alice, who waits for three seconds at most for any page."""
    return Visitor(login("alice", on=make_app(SECRET_KEY=site.environ["SECRET_KEY"])), site.port)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_job_runs_once_and_pages_answer_whatever_befalls_redis(crew, faulty, site, cast, visitor, broker, fault):
    work = Work(cast.alice, visitor)
    work.use_pages()
    work.add(10)
    FAULTS[fault].begin(broker)
    work.use_pages()
    work.add(FAULTS[fault].submitted)
    if FAULTS[fault].loses:
        sent = select(Job.sent_at).order_by(Job.id.desc()).limit(FAULTS[fault].submitted + 1)
        assert set(db.session.scalars(sent)) == {None}
    work.use_pages()
    heal(broker)
    back = utcnow()
    work.use_pages()
    work.add(5)
    wait_until(work.is_done, f"all jobs ended\n{crew.worker.output()[-3000:]}")
    assert set(db.session.scalars(select(Job.status))) == {"succeeded"}
    rows = Counter(db.session.scalars(select(Todo.title).where(Todo.title.like("Row%"))))
    assert rows == dict.fromkeys(work.titles, 1)
    assert sorted(db.session.scalars(select(Attachment.job_id))) == sorted(work.exports)
    assert crew.worker.is_running()
    assert crew.beat.is_running()

    def seen():
        db.session.rollback()
        return db.session.scalar(select(JobWorker.name).where(JobWorker.seen_at > back))

    wait_until(seen, "the worker says again that it lives")


def test_message_for_a_row_that_is_not_there_yet_harms_neither(crew, faulty, cast, ended):
    celery = faulty.extensions["celery"]
    number = create_job(cast.bob, "succeeded").id + 1000
    for unknown in (number, number + 1, 2**31 - 1, -1, 0):
        celery.send_task("tests.row", args=[unknown], queue="interactive")
    wait_until(lambda: f"job {number} is not to be had" in crew.worker.output(), "the message came too early")
    assert ended(create_job(cast.alice, name="tests.row", args={}, id=number)).attempt == 1
    assert list(db.session.scalars(select(Todo.title))) == ["Row"]
