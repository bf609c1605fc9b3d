"""An import while the worker's processes and the scheduler are killed: each row is there exactly once, or none is."""

import io
import os
import random
import time
from collections import Counter

import psutil
import pytest
from sqlalchemy import func, select

from app.extensions import db
from app.models import Job, Todo
from app.services import imports, jobs
from app.tasks.runner import send
from tests.factories import create_job
from tests.faults.conftest import BEAT, WORKER
from tests.faults.processes import wait_until

APP = "tests.faults.small_batches"
ROWS, KILLS = int(os.environ.get("IMPORT_ROWS", "2000")), int(os.environ.get("IMPORT_KILLS", "2"))


@pytest.fixture
def processes(start):
    """Returns functions that start two workers and beat."""
    worker, beat = ([APP if word == "tests.faults.slow_jobs" else word for word in words] for words in (WORKER, BEAT))
    one, two = ([*worker, "--concurrency", "1", "-n", f"{name}@host"] for name in ("one", "two"))
    return [lambda: start(one), lambda: start(two), lambda: start(beat, "beat: Starting...")]


@pytest.fixture
def begin(cast):
    """Returns a function that begins the import of a file with so many rows."""

    def add(whole: bool) -> Job:
        text = "title,tags\n" + "".join(f"{name_of(whole)} {number},home\n" for number in range(ROWS))
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


def test_each_row_is_there_once_and_all_or_none_whatever_is_killed(processes, begin, ended):
    running = [begin_one() for begin_one in processes]
    imports_of = {whole: begin(whole) for whole in (False, True)}
    chance = random.Random(7)

    def busy():
        found = map(seen, imports_of.values())
        return sorted({job.worker == "two@host" for job in found if job.status == "running" and job.worker})

    def are_ended():
        return all(seen(job).is_final for job in imports_of.values())

    for kill in range(KILLS):
        wait_until(lambda: are_ended() or busy(), "a worker took an import")
        time.sleep(chance.uniform(0, 0.4))
        assert seen(imports_of[True]).is_final or titles(True) == Counter()
        victim = int(chance.choice(busy() or [False]))
        if kill % 4 == 1 and (children := psutil.Process(running[victim].popen.pid).children()):
            chance.choice(children).kill()
        else:
            running[victim].kill()
            running[victim] = processes[victim]()
        if kill % 4 == 3:
            running[2].kill()
            running[2] = processes[2]()
    for whole, job in imports_of.items():
        done = ended(job)
        assert (done.status, done.error) == ("succeeded", None)
        assert (done.result["added"], done.result["there"], done.result["errors"]) == (ROWS, 0, 0)
        assert titles(whole) == Counter(f"{name_of(whole)} {number}" for number in range(ROWS))
    assert sum(seen(job).attempt for job in imports_of.values()) > 2


def test_import_that_is_cancelled_in_the_middle_of_all_or_nothing_leaves_nothing(processes, begin, ended):
    processes[0]()
    job = begin(whole=True)
    wait_until(lambda: 0 < seen(job).progress_done < ROWS, "the import is in the middle")
    jobs.stop(seen(job))
    assert ended(job).status == "cancelled"
    assert titles(True) == Counter()


def test_import_that_is_cancelled_keeps_what_it_added_and_says_so(processes, begin, ended):
    processes[0]()
    job = begin(whole=False)
    wait_until(lambda: seen(job).progress_done, "the import is in the middle")
    jobs.stop(seen(job))
    done = ended(job)
    assert done.status == "cancelled"
    assert done.result["added"] == done.progress_done == db.session.scalar(select(func.count()).select_from(Todo))
    assert 0 < done.progress_done < ROWS
