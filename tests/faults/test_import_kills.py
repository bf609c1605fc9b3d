"""An import while all processes, the web server's too, are killed: each row is there exactly once, or none is."""

import io
import os
import random
import time
from collections import Counter
from contextlib import suppress
from functools import partial

import psutil
import pytest
from sqlalchemy import func, select

from app.extensions import db
from app.models import Job, Todo
from app.services import imports, jobs
from app.tasks.runner import send
from tests.factories import create_job, create_todo
from tests.faults.conftest import BEAT, WORKER, hasty
from tests.faults.processes import environment, wait_until
from tests.faults.visitors import Crowd, Site

APP = "tests.faults.small_batches"
KILLS = int(os.environ.get("IMPORT_KILLS", "14"))
ROWS = {False: 20_000, True: 2_000}  # of an import that skips bad rows, and of one that takes all or nothing


@pytest.fixture
def processes(start):
    """Returns functions that start two workers and beat."""
    commands = {name: [*hasty(WORKER, APP), "--concurrency", "1", "-n", f"{name}@host"] for name in ("one", "two")}
    commands |= {"beat": hasty(BEAT, APP)}
    return {name: partial(start, command, ready=None) for name, command in commands.items()}


@pytest.fixture
def begin(cast):
    """Returns a function that begins the import of a file with so many rows."""

    def add(whole: bool, rows: int = 0) -> Job:
        text = "title,tags\n" + "".join(f"{name_of(whole)} {number},home\n" for number in range(rows or ROWS[whole]))
        file = imports.keep(cast.alice, io.BytesIO(text.encode()), "rows.csv", 25)
        args = {"file": file.id, "sha256": file.sha256, "mapping": {"title": "title", "tags": "tags"}}
        args |= {"whole": whole, "change": False}
        job = create_job(cast.alice, name="todos.import", args=args, max_attempts=3 * KILLS + 5, queue="bulk")
        send(job)
        return job

    return add


def seen(job):
    """The row as it is now."""
    found = db.session.get(Job, job.id, populate_existing=True)
    db.session.rollback()
    return found


def name_of(whole):
    """What the titles of an import begin with."""
    return "Whole" if whole else "Row"


def titles(whole):
    """How often each title of an import is there."""
    found = db.session.scalars(select(Todo.title).where(Todo.title.startswith(name_of(whole))))
    return Counter(found)


@pytest.fixture
def crowd(login, make_app, cast, migrated, broker, tmp_path):
    """Visitors of a web server."""
    environ = environment(migrated, broker.url)
    client = login("alice", on=make_app(SECRET_KEY=environ["SECRET_KEY"]))
    with Crowd(client, Site(environ, tmp_path / "web.log"), create_todo(cast.alice).id) as found:
        yield found


def strike(chance, running, processes, busy, web):
    """Kill one of all processes: what works on an import as often as all others together."""
    victim = chance.choice(busy or ["one"])
    kind = chance.choice(["child", "child", "parent", "parent", "beat", "web worker", "web master"])
    if kind == "child":
        kill_child(chance, running[victim])
    elif kind == "web worker":
        kill_child(chance, web.process)
    elif kind == "web master":
        web.process.kill()  # with its workers, as where a container ends with its first process
        web.start()
    else:
        name = "beat" if kind == "beat" else victim
        running[name].kill()
        running[name] = processes[name]()


def kill_child(chance, process):
    """Kill a child of a process, if it has got any yet."""
    with suppress(psutil.NoSuchProcess):
        if children := psutil.Process(process.popen.pid).children():
            chance.choice(children).kill()


def test_each_row_is_there_once_and_all_or_none_whatever_is_killed(processes, begin, ended, crowd, cast):
    running = {name: start() for name, start in processes.items()}
    imports_of = {whole: begin(whole) for whole in (False, True)}
    chance = random.Random(7)

    def busy():
        found = map(seen, imports_of.values())
        return sorted({job.worker.split("@")[0] for job in found if job.status == "running" and job.worker})

    def are_ended():
        return all(seen(job).is_final for job in imports_of.values())

    crowd.wait()
    for _ in range(KILLS):
        wait_until(lambda: are_ended() or busy(), "a worker took an import")
        time.sleep(chance.uniform(0, 0.3))
        there = titles(True)
        assert not there or seen(imports_of[True]).is_final
        strike(chance, running, processes, busy(), crowd.site)
    crowd.wait()
    crowd.is_over.set()
    for whole, job in imports_of.items():
        done = ended(job, 120)
        assert (done.status, done.error) == ("succeeded", None)
        assert (done.result["added"], done.result["there"], done.result["errors"]) == (ROWS[whole], 0, 0)
        assert titles(whole) == Counter(f"{name_of(whole)} {number}" for number in range(ROWS[whole]))
    assert sum(seen(job).attempt for job in imports_of.values()) > 2
    known = set(crowd.accepted)
    assert known
    for job in db.session.scalars(select(Job).where(Job.name == "todos.export")):
        assert ended(job).status == "succeeded"
        known.discard(job.id)
    assert not known


def test_import_that_is_cancelled_in_the_middle_of_all_or_nothing_leaves_nothing(processes, begin, ended):
    processes["one"]()
    job = begin(whole=True, rows=20_000)  # seconds of work: it must not be over before it is told to stop
    wait_until(lambda: seen(job).progress_done, "the import is in the middle")
    jobs.stop(seen(job))
    assert ended(job).status == "cancelled"
    assert titles(True) == Counter()


def test_import_that_is_cancelled_keeps_what_it_added_and_says_so(processes, begin, ended):
    processes["one"]()
    job = begin(whole=False)
    wait_until(lambda: seen(job).progress_done, "the import is in the middle")
    jobs.stop(seen(job))
    done = ended(job)
    assert done.status == "cancelled"
    assert done.result["added"] == done.progress_done == db.session.scalar(select(func.count()).select_from(Todo))
    assert 0 < done.progress_done < ROWS[False]
