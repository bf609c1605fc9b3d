"""The schedule: one job for each turn, whoever looks at the clock, and none for turns that were missed."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from app import create_app
from app.db import transaction, utcnow
from app.errors import Unavailable
from app.extensions import db
from app.models import Attachment, AttachmentChunk, Job, JobSlot
from app.models.users import EndedSession
from app.services import attachments, health, jobs_slots, jobs_sweep, jobs_workers, todos_lists
from app.tasks.runner import execute
from app.tasks.schedule import SCHEDULE
from app.tasks.turns import start, tick
from tests.conftest import db_dispose, settings
from tests.factories import create_attachment, create_job, create_todo
from tests.jobs.test_engine import reread

NAMES = sorted(SCHEDULE)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The clock, at the middle of a turn of every line; returns a function that moves it."""
    now = jobs_slots.slot_of(86_400) + timedelta(hours=12, minutes=7)

    def move(**ahead):
        nonlocal now
        now += timedelta(**ahead)
        monkeypatch.setattr("app.db.clock", lambda: now)

    move()
    return move


def names():
    return sorted(db.session.scalars(select(Job.name)))


def end_all():
    for job_id in db.session.scalars(select(Job.id).where(Job.status == "queued")).all():
        execute(job_id)


def test_each_line_starts_once_a_turn_however_often_somebody_looks(cast, queue, clock):
    for _ in range(3):
        tick()
    assert names() == NAMES
    end_all()
    assert {job.status for job in db.session.scalars(select(Job))} == {"succeeded"}
    clock(hours=1)
    tick()
    assert names().count("jobs.purge") == 2
    assert names().count("system.check_database") == 1


def test_two_schedulers_at_once_start_one_job(cast, elsewhere):
    elsewhere(tick, times=4)
    assert names() == NAMES


def test_turns_that_were_missed_come_once(cast, queue, clock):
    tick()
    end_all()
    clock(days=3)
    tick()
    tick()
    assert names() == sorted(NAMES * 2)


def test_turn_does_not_begin_while_the_last_one_goes_on(cast, queue, clock):
    tick()
    clock(hours=1)
    tick()
    assert names() == NAMES
    assert db.session.scalar(select(func.count()).select_from(JobSlot)) > len(NAMES)


@pytest.mark.parametrize("hours", [1, -1])
def test_clock_that_jumps_and_comes_back_starts_no_turn_twice(cast, queue, clock, hours):
    for jump in (0, hours, -hours, 0):
        clock(hours=jump)
        tick()
        end_all()
    assert names().count("jobs.purge") == 2
    assert names().count("system.check_database") == 1


def test_line_started_by_hand_is_a_job_like_any_and_not_started_twice(cast, queue, login):
    job = start("todos.count_open")
    assert start("todos.count_open") is None
    create_todo(cast.alice)
    create_todo(cast.alice, complete=True, completed_at=utcnow())
    execute(job.id)
    assert (reread(job).status, reread(job).result) == ("succeeded", {"value": 1})
    assert jobs_slots.last_jobs()["todos.count_open"].id == job.id
    assert "<small>result: 1</small>" in login("ada").get("/admin/jobs/overview").text


@pytest.mark.parametrize(("at_once", "gone_at_once"), [(500, [1, 2, 0]), (1, [1, 1, 1, 0])])
def test_purge_deletes_ended_jobs_in_chunks_with_parts_and_files_and_keeps_the_others(
    cast, monkeypatch, at_once, gone_at_once
):
    monkeypatch.setattr(jobs_sweep, "PURGE_SIZE", at_once)
    old = utcnow() - timedelta(days=31)
    gone = create_job(cast.alice, "succeeded", finished_at=old)
    part = create_job(cast.alice, "succeeded", finished_at=old, parent_id=gone.id, part=0)
    create_attachment(None, b"id\r\n", "todos.csv", "text/csv", job_id=gone.id)
    routine = create_job(None, "succeeded", finished_at=utcnow() - timedelta(days=3))
    kept = [
        create_job(cast.alice, "failed", finished_at=utcnow() - timedelta(days=29)),
        create_job(None, "failed", finished_at=utcnow() - timedelta(days=3)),
        create_job(cast.alice, created_at=old),
        create_job(cast.alice, "running", created_at=old),
    ]
    # parts go first: there may be thousands of one job
    assert [jobs_sweep.purge(30) for _ in gone_at_once] == gone_at_once
    assert db.session.scalar(select(Attachment.job_id)) is None
    left = set(db.session.scalars(select(Job.id)))
    assert left == {job.id for job in kept}
    assert not {gone.id, part.id, routine.id} & left
    attachments.sweep_lost()
    assert db.session.scalar(select(func.count()).select_from(Attachment)) == 0


def test_purge_forgets_old_turns_and_workers_that_went_without_a_word(app, clock):
    for days, name in ((7, "kept"), (8, "gone")):
        db.session.add(JobSlot(name=name, slot_at=utcnow() - timedelta(days=days)))
    db.session.commit()
    for hours, name in ((-25, "gone@host"), (25, "kept@host")):
        clock(hours=hours)
        jobs_workers.seen(name, ["bulk"], 2, [])
    jobs_sweep.purge(30)
    assert list(db.session.scalars(select(JobSlot.name))) == ["kept"]
    assert [worker.name for worker in jobs_workers.all_known()] == ["kept@host"]


def test_uploads_that_were_never_saved_go_after_a_day(cast, clock):
    create_attachment(uploaded_by_id=cast.alice.id, name="old.png")
    clock(hours=23)
    create_attachment(uploaded_by_id=cast.alice.id, name="new.png")
    create_attachment(create_todo(cast.alice), name="saved.png")
    clock(hours=2)
    assert SCHEDULE["attachments.sweep_unsaved"][1]() == 1
    assert set(db.session.scalars(select(Attachment.name))) == {"new.png", "saved.png"}
    assert db.session.scalar(select(func.count()).select_from(AttachmentChunk)) == 2


def test_ended_sessions_are_forgotten_when_their_cookies_have_expired(cast, clock):
    forget = SCHEDULE["users.sweep_sessions"][1]
    for name in ("old", "new"):
        with transaction() as session:
            session.add(EndedSession(session_id=name, ended_at=utcnow()))
        clock(days=89)
    assert forget() == 1
    assert list(db.session.scalars(select(EndedSession.session_id))) == ["new"]


def test_database_finds_no_damage_in_itself(cast):
    assert health.check_database() == "ok"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True, scope="session")
def test_broken_index_of_postgresql_is_damage(app):
    broken = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_jobs_by_end'::regclass"
    db.session.execute(text(broken))
    with pytest.raises(Unavailable, match="The database is damaged: the index ix_jobs_by_end is not valid"):
        health.check_database()
    db.session.rollback()


def test_broken_index_of_sqlite_is_damage(tmp_path):
    with closing(sqlite3.connect(tmp_path / "broken.db")) as file:
        file.executescript("""
            CREATE TABLE words (one, other); CREATE INDEX by_one ON words (one); INSERT INTO words VALUES (1, 2);
            PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE INDEX by_one ON words (other)'
            WHERE name = 'by_one';
        """)
    app = create_app(settings(f"sqlite:///{tmp_path}/broken.db"))
    with (
        app.app_context(),
        pytest.raises(Unavailable, match="is damaged: row 1 missing from index by_one"),
    ):
        health.check_database()
    db_dispose(app)


def test_open_todos_are_counted_without_deleted_ones(cast):
    create_todo(cast.alice, deleted_at=utcnow())
    create_todo(cast.bob)
    assert todos_lists.count_open() == 1
