"""Signs of life of a worker, and its word to its children that they have to end."""

import logging
import mmap
import time
from datetime import UTC, datetime
from typing import Any

from celery.worker import state
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.services import jobs_workers
from app.tasks.heartbeat import touch

log = logging.getLogger(__name__)
SECONDS = 10  # between signs of life
FINISH_SECONDS = 10  # that a job may go on after its worker was told to end


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
