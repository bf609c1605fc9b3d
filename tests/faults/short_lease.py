"""The application of `slow_jobs` with leases of a few seconds, for tests that kill workers all the time."""

from datetime import timedelta

from app.services import jobs_runs, jobs_sweep
from tests.faults.slow_jobs import celery

__all__ = ["celery"]

jobs_runs.LEASE = timedelta(seconds=4)
jobs_sweep.RESEND_AFTER = timedelta(seconds=2)
