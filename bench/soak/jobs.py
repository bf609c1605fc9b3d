"""The application as it is shipped, with two jobs more and little patience: kills come faster than in real life."""

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from app import create_app
from app.extensions import db
from app.models import Todo
from app.services import imports, jobs_runs, jobs_sweep
from app.tasks.runner import REGISTRY, Part, Run, job

ATTEMPTS = 10  # without getting further
imports.BATCH = 20  # rows, so that a kill may hit between any two
jobs_runs.LEASE = timedelta(seconds=10)
jobs_sweep.RESEND_AFTER = timedelta(seconds=20)


@job("soak.row", title="Add a row", permission=("can_add", "Todo"))
def add_row(run: Run, title: str) -> dict[str, Any]:
    """Add one todo."""
    assert run.owner
    db.session.add(Todo(owner_id=run.owner.id, title=title))
    return {}


def plan(run: Run, title: str, count: int, size: int) -> list[Part]:
    """Plan so many rows in parts of a size."""
    return [Part({"first": first}, min(size, count - first)) for first in range(0, count, size)]


@job("soak.rows", title="Add many rows", permission=("can_add", "Todo"), plan=plan)
def add_rows(run: Run, title: str, count: int, size: int, first: int) -> dict[str, Any]:
    """Add the todos of one part, a few at a time and not at once."""
    mine = range(first, min(first + size, count))
    for batch in run.batches(mine, size=10):
        time.sleep(0.02)
        assert run.owner
        db.session.add_all(Todo(owner_id=run.owner.id, title=f"{title} {number}") for number in batch)
    return {"rows": len(mine)}


for _name, _spec in REGISTRY.items():
    REGISTRY[_name] = replace(_spec, attempts=ATTEMPTS)


def celery() -> Any:
    """Return the Celery application that workers and scheduler run."""
    return create_app().extensions["celery"]
