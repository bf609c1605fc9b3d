"""Workers, web servers and jobs that are ended on purpose: nothing that was accepted is lost, nothing comes twice."""

import http.client
import signal
import socket
import time
from contextlib import closing, suppress
from threading import Event, Thread
from urllib.parse import urlencode

import psutil
import pytest
from sqlalchemy import select

from app.extensions import db
from app.models import Job, Todo
from app.services import jobs
from app.tasks.runner import send
from tests.factories import create_job, create_todo
from tests.faults.conftest import BEAT, BEATS, WORKER, hasty
from tests.faults.processes import PATIENCE, Process, environment, wait_until

KILLS = 4
# what ends here is a process and not the database: once is enough
pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True, scope="session")


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


def test_rolling_restart_of_workers_under_load_costs_no_attempt(start, ended, cast):
    workers = [start([*hasty(WORKER), "-n", f"{name}@host"]) for name in ("one", "two")]
    start(hasty(BEAT), BEATS)
    whole = create_job(cast.alice, name="tests.parts", args={"count": 1000, "size": 50})
    small = [create_job(cast.alice, name="tests.row", args={"title": f"Small {number}"}) for number in range(30)]
    send(whole, *small)
    for number, old in enumerate(workers):
        start([*hasty(WORKER), "-n", f"new-{number}@host"])
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


class Browser:
    """Alice's, which goes on asking whatever happens to the server."""

    def __init__(self, client, port):
        self.body = urlencode({"csrf_token": client.token(), "kind": "csv"})
        self.cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in client._cookies.values())
        self.port = port

    def post(self, path):
        """Return the number of the job, or None if the server was killed meanwhile."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Cookie": self.cookies, "Content-Type": "application/x-www-form-urlencoded"}
        with suppress(OSError, http.client.HTTPException), closing(connection):
            connection.request("POST", path, self.body, headers)
            answer = connection.getresponse()
            assert answer.status == 302, answer.read()
            return int(answer.headers["Location"].rsplit("/", 1)[1])
        return None


def test_jobs_that_a_killed_web_server_accepted_are_run(
    start, ended, login, make_app, cast, broker, migrated, tmp_path
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    more = {"PORT": str(port), "WEB_CONCURRENCY": "2", "MAX_ACTIVE_JOBS": "1000"}
    environ = environment(migrated, broker.url, **more)
    start(hasty(WORKER))
    start(hasty(BEAT), BEATS)
    todos = iter([create_todo(cast.alice, f"Todo {number}").id for number in range(500)])
    browser = Browser(login("alice", on=make_app(SECRET_KEY=environ["SECRET_KEY"])), port)
    accepted, is_over = [], Event()
    web = Process(["-m", "gunicorn", "run:app"], environ, tmp_path / "web.log")

    def submit():
        while not is_over.is_set() and (todo := next(todos, None)):
            accepted.append(browser.post(f"/selection/export?id={todo}"))

    threads = [Thread(target=submit) for _ in range(2)]
    try:
        web.wait_for("Listening at")
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            before = len(accepted)
            wait_until(lambda before=before: len(accepted) > before + 3, "pages are answered again")
            psutil.Process(web.popen.pid).children()[0].kill()
        is_over.set()
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
        web.kill()
    known = {job for job in accepted if job}
    assert len(known) > KILLS
    for job in db.session.scalars(select(Job).where(Job.owner_id == cast.alice.id)):
        assert ended(job).status == "succeeded"
        known.discard(job.id)
    assert not known
