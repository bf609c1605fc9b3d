"""Signs of life of workers and the scheduler, and the word from a worker to its children that it has to end."""

import logging
import mmap
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from celery.beat import Scheduler, SchedulingError
from celery.schedules import schedstate
from celery.worker import state
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.services import jobs_workers

log = logging.getLogger(__name__)
SECONDS = 10  # between signs of life
FINISH_SECONDS = 10  # that a job may go on after its worker was told to end


def touch(app: Flask) -> None:
    """Show the liveness probe of this container (tools/health.py) that the process's own loop goes on."""
    if path := app.config["HEARTBEAT_FILE"]:
        try:
            Path(path).touch()
        except OSError as error:
            log.warning("HEARTBEAT_FILE cannot be touched: %s", error)


class Clock(Scheduler):
    """Celery's scheduler, which keeps nothing in a file; it wakes up at least every 15 seconds, for the sweep.

    It counts seconds by a clock that nobody sets: Celery's own would send nothing for an hour after the machine's
    clock was set back by one.
    """

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send one message; if Redis does not take it, the next turn does."""
        log.info("Sending due task %s", entry.name)
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            log.warning("%s", error)

    def _when(self, entry: Any, next_time_to_run: float, mktime: Any = None) -> float:
        """Return an instant for the order of what comes next."""
        return time.monotonic() + (self.adjust(next_time_to_run) or 0)

    def is_due(self, entry: Any) -> schedstate:
        """Tell that it is time for what comes next, as the order says, and when it will be again."""
        return schedstate(is_due=True, next=entry.schedule.seconds)

    def tick(self, **options: Any) -> float:
        """Send what is due; return for how many seconds to sleep."""
        touch(self.app.flask)
        return float(super().tick(**options))


class Presence:
    """What one worker tells; its main process writes, in the event loop, so that no thread is alive at a fork."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.consumer: Any = None
        self.deadline: mmap.mmap | None = None

    def begin(self, consumer: Any) -> None:
        """Write now and then from the event loop of the worker."""
        self.consumer = consumer
        consumer.timer.call_repeatedly(SECONDS, self.write)
        self.write()

    def write(self) -> None:
        """Note that the worker lives, and what it works on."""
        touch(self.app)
        pool, queues = self.consumer.pool, self.consumer.task_consumer.queues
        try:
            with self.app.app_context():
                jobs_workers.seen(
                    self.consumer.hostname, [queue.name for queue in queues], pool.num_processes, self._busy()
                )
        except SQLAlchemyError as error:
            log.warning("no sign of life could be written: %s", type(error).__name__)

    def _busy(self) -> list[dict[str, Any]]:
        """Return the jobs that children work on, and since when."""
        found = []
        for request in state.active_requests:
            since = datetime.fromtimestamp(request.time_start or time.time(), UTC)
            args = request.args or [None]
            found.append({"job_id": args[0], "name": request.name, "since": since.isoformat()})
        return sorted(found, key=lambda one: str(one["since"]))

    def prepare(self, **_: Any) -> None:
        """Make a place, before any child is born, that children can look into."""
        self.deadline = mmap.mmap(-1, 16)

    def stop(self, **_: Any) -> None:
        """Let children finish what they can within a few seconds."""
        if self.deadline is not None:
            self.deadline[:] = f"{time.monotonic() + FINISH_SECONDS:016.4f}".encode()

    def is_over(self) -> bool:
        """Tell a child whether to give its job back; the clock is one for all processes of a machine."""
        text = self.deadline[:].strip(b"\0") if self.deadline is not None else b""
        return bool(text) and time.monotonic() > float(text)

    def end(self, **_: Any) -> None:
        """Forget the worker, which ends in good order."""
        if self.consumer is not None:
            try:
                with self.app.app_context():
                    jobs_workers.gone(self.consumer.hostname)
            except SQLAlchemyError as error:
                log.warning("the end of this worker could not be noted: %s", type(error).__name__)
