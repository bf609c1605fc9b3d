"""The application of `short_lease` with a schedule of one line, and a clock that a file lets jump."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app import db
from app.tasks import schedule
from tests.faults.short_lease import celery

__all__ = ["celery"]

OFFSET = Path(os.environ["CLOCK_OFFSET"])
EVERY = int(os.environ["CLOCK_EVERY"])


def clock() -> datetime:
    """Return the machine's instant, moved by as many seconds as the file says."""
    return datetime.now(UTC) + timedelta(seconds=float(OFFSET.read_text()))


db.clock = clock
schedule.SCHEDULE = {"tests.turn": (EVERY, lambda: None)}
