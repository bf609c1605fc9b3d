"""Changes of thousands of todos in real workers: each todo once, whoever dies; stopped in the middle; undone."""

import re

import pytest
from sqlalchemy import func, insert, select

from app.extensions import db
from app.models import AuditEntry, Job, Todo
from tests.faults.conftest import BEAT, BEATS, WORKER, hasty
from tests.faults.processes import wait_until

COUNT = 2000  # four parts


@pytest.fixture
def many(cast):
    db.session.execute(insert(Todo), [{"title": f"T{i}", "owner_id": cast.alice.id, "notes": ""} for i in range(COUNT)])
    db.session.commit()


def begin(client, action: str) -> Job:
    """Confirm a change of all todos, and wait until some of it is done."""
    answer = client.send(f"/selection/{action}?all=1&show=any")
    job_id = int(answer.location.rpartition("/")[2])

    def some() -> Job | None:
        db.session.rollback()
        part = select(Job.id).where(Job.parent_id == job_id, Job.status == "succeeded").limit(1)
        return db.session.get(Job, job_id) if db.session.scalar(part) else None

    return wait_until(some, "a part is done")


def versions() -> dict[int, int]:
    """Return how many todos have which version."""
    db.session.rollback()
    return dict(db.session.execute(select(Todo.version, func.count()).group_by(Todo.version)).all())


def test_change_whose_worker_is_killed_changes_each_todo_once_and_is_undone(start, ended, login, faulty, many):
    client = login("alice", on=faulty)
    first = start([*hasty(WORKER), "--concurrency", "1"])
    job = begin(client, "complete")
    first.kill()
    start(hasty(WORKER))
    start(hasty(BEAT), BEATS)
    job = ended(job)
    assert (job.status, job.result["changed"], job.progress_done) == ("succeeded", COUNT, COUNT), job.error
    assert versions() == {2: COUNT}
    entries = (
        select(func.count()).select_from(AuditEntry).where(AuditEntry.job_id == job.id, AuditEntry.entity == "todo")
    )
    assert db.session.scalar(entries) == COUNT
    undo = re.search(r'action="(/undo/\d+)"', client.get(f"/jobs/{job.id}").text)[1]
    undone = db.session.get(Job, int(client.send(undo).location.rpartition("/")[2]))
    assert ended(undone).result == {"changed": COUNT, "stale": 0}
    assert versions() == {3: COUNT}
    assert not db.session.scalar(select(func.count()).where(Todo.complete))


def test_change_that_is_cancelled_stops_between_two_parts(start, ended, login, faulty, many, tmp_path):
    client = login("alice", on=faulty)
    start([*hasty(WORKER, "tests.faults.gated"), "--concurrency", "1"], GATE=str(tmp_path / "gate"))
    job = begin(client, "delete")
    client.send(f"/jobs/{job.id}/cancel")
    (tmp_path / "gate").touch()
    assert ended(job).status == "cancelled"

    active = select(Job.id).where(Job.parent_id == job.id, Job.status.in_(("queued", "running")))

    def is_over() -> bool:
        db.session.rollback()
        return db.session.scalar(active) is None

    wait_until(is_over, "no part runs any more")
    deleted = db.session.scalar(select(func.count()).where(Todo.deleted_at.is_not(None)))
    assert deleted == COUNT / 4
    page = client.get(f"/jobs/{job.id}").text
    assert f"{deleted:,} todos deleted." in page
    assert "Undo" in page
