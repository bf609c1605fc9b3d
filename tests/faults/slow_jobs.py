"""Jobs that stop where a test wants them to, and the Celery application that a worker of the tests runs."""

import os
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

from app import create_app
from app.extensions import db
from app.models import Todo
from app.tasks import schedule
from app.tasks.runner import Part, Run, job

WAIT = 60  # seconds for a test to open the gate


@job("tests.row", title="Add a row", permission=("can_add", "Todo"), backoff=(1, 1))
def add_row(run: Run, title: str = "Row") -> dict[str, Any]:
    """Add one todo."""
    assert run.owner
    db.session.add(Todo(owner_id=run.owner.id, title=title))
    return {}


@job("tests.rows", title="Add rows", permission=("can_add", "Todo"), time_limit=120, backoff=(1, 1))
def add_rows(run: Run, folder: str, count: int, gate: int, inside: bool = False) -> dict[str, Any]:
    """Add a todo for each number; the first attempt waits in the middle of number `gate` until `folder/go` exists.

    It waits before it writes, or inside of the transaction, which nobody else could write beside on SQLite.
    """
    for batch in run.batches(range(count), size=1):
        waits = batch[0] == gate and run.attempt == 1
        if waits and not inside:
            wait_at_gate(Path(folder))
        assert run.owner
        db.session.add(Todo(owner_id=run.owner.id, title=f"Row {batch[0]}"))
        if waits and inside:
            db.session.flush()
            wait_at_gate(Path(folder))
    return {"rows": count}


def wait_at_gate(folder: Path) -> None:
    """Say which process is here and wait."""
    (folder / "pid.new").write_text(str(os.getpid()))
    (folder / "pid.new").rename(folder / "pid")
    deadline = time.monotonic() + WAIT
    while not (folder / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def plan_parts(run: Run, count: int, size: int) -> list[Part]:
    """Plan so many rows in parts of equal size."""
    return [Part({"first": first}, size) for first in range(0, count, size)]


@job("tests.parts", title="Add many rows", permission=("can_add", "Todo"), time_limit=120, plan=plan_parts)
def add_part(run: Run, count: int, size: int, first: int) -> dict[str, Any]:
    """Add the todos of one part, a few at a time and not at once."""
    for batch in run.batches(range(first, first + size), size=10):
        time.sleep(0.02)
        assert run.owner
        db.session.add_all(Todo(owner_id=run.owner.id, title=f"Row {number}") for number in batch)
    return {"rows": size}


@job("tests.long", title="Take long", permission=None, time_limit=1)
def take_long(run: Run, stubborn: bool) -> dict[str, Any]:
    """Take longer than it may, and do not listen if it is stubborn."""
    with suppress(SoftTimeLimitExceeded) if stubborn else nullcontext():
        time.sleep(WAIT)
    time.sleep(WAIT)
    return {}


job("tests.turn", title="Do nothing", permission=None, told=False)(lambda run: {})
schedule.SCHEDULE = {}  # nothing but what a test asks for
celery = create_app().extensions["celery"]
celery.tasks["tests.long"].time_limit = 2  # seconds after which its process is killed
celery.conf.beat_schedule["jobs.sweep"]["schedule"] = 1
