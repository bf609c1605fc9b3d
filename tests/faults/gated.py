"""The application of `short_lease`, whose worker begins no third job, or part of one, until a file is there."""

import os
import time
from itertools import count
from pathlib import Path
from typing import Any

from app.models import Job
from app.services import jobs_runs
from tests.faults.short_lease import celery

__all__ = ["celery"]

GATE = Path(os.environ["GATE"])
WAIT = 60  # seconds for a test to open the gate
claim, numbers = jobs_runs.claim, count(1)


def claim_after_gate(*args: Any, **kwargs: Any) -> Job | None:
    """Take a job, when it may be taken."""
    deadline = time.monotonic() + WAIT
    if next(numbers) > 2:
        while not GATE.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    return claim(*args, **kwargs)


jobs_runs.claim = claim_after_gate
