"""Heartbeats: the lease of a running attempt, and the file by which a probe sees that a process goes on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from app.services import jobs_runs
from app.tasks.declare import Run

log = logging.getLogger(__name__)


def touch(app: Flask) -> None:
    """Show the liveness probe of this container (tools/health.py) that the process's own loop goes on."""
    if path := app.config["HEARTBEAT_FILE"]:
        try:
            Path(path).touch()
        except OSError as error:
            log.warning("HEARTBEAT_FILE cannot be touched: %s", error)


@contextmanager
def kept_alive(run: Run) -> Iterator[None]:
    """Renew the lease from a thread of its own, so that one long step does not lose it."""
    ended = Event()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def beat() -> None:
        while not ended.wait(jobs_runs.LEASE.total_seconds() / 3):
            try:
                with app.app_context():
                    jobs_runs.renew(run.job_id, run.attempt)
            except jobs_runs.Superseded:
                return
            except SQLAlchemyError as error:
                log.warning("the lease of job %s could not be renewed: %s", run.job_id, type(error).__name__)

    thread = Thread(target=beat, name=f"lease of job {run.job_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(jobs_runs.LEASE.total_seconds())
