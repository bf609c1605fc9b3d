"""Two schedulers at once, and a clock that jumps: each turn makes one job, and no job runs twice."""

import time

import pytest
from sqlalchemy import func, select

from app.extensions import db
from app.models import Job, JobSlot, Todo
from app.tasks.runner import send
from tests.factories import create_job
from tests.faults.conftest import BEAT, BEATS, WORKER, hasty
from tests.faults.processes import wait_until

APP = "tests.faults.jumping_clock"
TURN = 1800  # seconds


@pytest.fixture
def jump(tmp_path):
    """Returns a function that moves the clock of all processes by so many hours, from the middle of a turn."""
    base = TURN / 2 - time.time() % TURN  # so that none ends while a test runs

    def move(hours):
        (tmp_path / "new").write_text(str(base + hours * 3600))
        (tmp_path / "new").rename(tmp_path / "offset")

    move(0)
    return move


@pytest.fixture
def begin(start, tmp_path):
    """Returns a function that starts processes over that clock, given how many seconds a turn lasts."""

    def begin(command, ready, every):
        more = {"CLOCK_OFFSET": str(tmp_path / "offset"), "CLOCK_EVERY": str(every)}
        return start(hasty(command, APP), ready, **more)

    return begin


def turns():
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(JobSlot))


def started():
    """Return the jobs of all turns, once they have ended."""
    found = list(db.session.execute(select(Job.id, Job.status).where(Job.name == "tests.turn")))
    return [number for number, status in found if status == "succeeded"] if found else []


def test_two_schedulers_make_one_job_for_each_turn(begin, jump, faulty):
    begin(WORKER, " ready.", 1)
    beats = [begin(BEAT, BEATS, 1) for _ in range(2)]
    wait_until(lambda: all(beat.output().count("Sending due task") >= 4 for beat in beats), "both came to the schedule")
    wait_until(lambda: turns() >= 4, "turns came")
    for beat in beats:
        beat.kill()
    # a turn that comes while the job of the last one is not done yet makes none
    wait_until(lambda: turns() and set(db.session.scalars(select(JobSlot.job_id))) == set(started()), "all have ended")
    assert 1 < len(started()) <= turns()


def test_clock_that_jumps_an_hour_forward_and_back_runs_nothing_twice(begin, jump, slow, ended, cast):
    begin(WORKER, " ready.", TURN)
    beat = begin(BEAT, BEATS, TURN)
    send(slow.job)
    slow.pid()
    wait_until(lambda: turns() == len(started()) == 1, "the present turn came")
    jump(1)
    wait_until(lambda: turns() == len(started()) == 2, "the turn an hour later came, and none of those between")
    late = create_job(cast.alice, name="tests.row", args={})
    send(late)
    assert ended(late).attempt == 1
    jump(0)
    back = create_job(cast.alice, name="tests.row", args={}, idempotency_key="back")
    send(back)
    assert ended(back).attempt == 1
    ticks = beat.output().count("Sending due task")
    wait_until(lambda: beat.output().count("Sending due task") > ticks + 2, "the schedule was looked at again")
    assert turns() == len(started()) == 2
    slow.open()  # its worker renewed the lease or another one took it over: either may be first
    assert ended(slow.job).status == "succeeded"
    titles = list(db.session.scalars(select(Todo.title).order_by(Todo.title)))
    assert titles == ["Row", "Row", "Row 0", "Row 1", "Row 2", "Row 3"]
