"""Celery's scheduler, which keeps nothing in a file and goes by a clock that nobody sets."""

import logging
import time
from typing import Any

from celery.beat import Scheduler, SchedulingError
from celery.schedules import schedstate

from app.tasks.heartbeat import touch

log = logging.getLogger(__name__)


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
