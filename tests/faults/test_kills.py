"""A large job in parts while workers, their processes and the scheduler are killed at random points."""

import random
import time

import psutil
from sqlalchemy import select

from app.extensions import db
from app.models import Job, Todo
from app.tasks.runner import send
from tests.factories import create_job
from tests.faults.conftest import BEAT, BEATS, WORKER, hasty
from tests.faults.processes import wait_until

KILLS = 10
ROWS, SIZE = 2_000, 50


def at_work(job: Job) -> bool:
    """Tell whether a kill could hit a part, or comes too late for all."""
    db.session.rollback()
    busy = select(Job.id).where(Job.parent_id == job.id, Job.status == "running").limit(1)
    return job.is_final or db.session.scalar(busy) is not None


def test_each_row_is_added_once_whatever_is_killed(start, ended, cast, broker):
    workers = [[*hasty(WORKER), "-n", f"{name}@host"] for name in ("one", "two")]
    running = {0: start(workers[0]), 1: start(workers[1]), 2: start(hasty(BEAT), BEATS)}
    job = create_job(cast.alice, name="tests.parts", args={"count": ROWS, "size": SIZE}, max_attempts=KILLS + 3)
    send(job)
    chance = random.Random(4)
    for _ in range(KILLS):
        wait_until(lambda: at_work(job), "somebody works on a part")
        time.sleep(chance.uniform(0, 0.5))
        victim = chance.randrange(5)
        if victim in running:
            running[victim].kill()
            running[victim] = start(workers[victim] if victim < 2 else hasty(BEAT), ready=None)
        elif children := psutil.Process(running[victim - 3].popen.pid).children():
            chance.choice(children).kill()
    whole = ended(job)
    assert (whole.status, whole.result, whole.progress_done) == ("succeeded", {"rows": ROWS}, ROWS)
    titles = list(db.session.scalars(select(Todo.title)))
    assert sorted(titles) == sorted(f"Row {number}" for number in range(ROWS))
    parts = list(db.session.execute(select(Job.status, Job.attempt).where(Job.parent_id == job.id)))
    assert {status for status, _ in parts} == {"succeeded"}
    assert max(attempt for _, attempt in parts) > 1, "nothing was hit"
