"""The application of `short_lease` with imports in smaller batches, so that a kill may hit between any two."""

from datetime import timedelta

from app.services import imports, jobs_runs
from tests.faults.short_lease import celery

__all__ = ["celery"]

imports.BATCH = 100
jobs_runs.LEASE = timedelta(seconds=2)
