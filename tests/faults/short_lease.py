"""The application of `slow_jobs` with seconds instead of minutes, for tests that wait for what comes by itself."""

import os
from datetime import timedelta

from app.services import jobs_runs, jobs_sweep
from app.tasks import presence
from tests.faults.slow_jobs import celery

__all__ = ["celery"]

jobs_runs.LEASE = timedelta(seconds=float(os.environ.get("SECONDS_OF_LEASE", "4")))
jobs_sweep.RESEND_AFTER = timedelta(seconds=2)
presence.SECONDS = presence.FINISH_SECONDS = 1
# what a worker does not finish comes again after so many seconds, and somebody looks each second
celery.conf.broker_transport_options |= {
    "visibility_timeout": 5,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}
