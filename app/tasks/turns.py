"""The clock: starts the lines of the schedule whose turn it is."""

from datetime import datetime, timedelta

from app.db import utcnow
from app.models.jobs import Job
from app.services import jobs_slots
from app.tasks import broker, schedule
from app.tasks.declare import REGISTRY
from app.tasks.queue import send
from app.tasks.runner import sweep


def start(name: str) -> Job | None:
    """Start a line of the schedule now, whatever its turn; None if it runs already."""
    return _start(name, utcnow())


def next_turn(name: str) -> datetime:
    """Return when a line starts next."""
    every = schedule.SCHEDULE[name].seconds
    return jobs_slots.slot_of(every) + timedelta(seconds=every)


def _start(name: str, slot_at: datetime) -> Job | None:
    """Start one turn."""
    spec = REGISTRY[name]
    facts = {"queue": spec.queue_of({}), "max_attempts": spec.attempts, "time_limit": spec.time_limit}
    row = jobs_slots.start(name, slot_at, **facts)
    if row is not None:
        send(row)
    return row


def tick() -> int:
    """Sweep, and start what is due; return how many messages were sent again."""
    sent = sweep()
    slots = ((name, jobs_slots.slot_of(line.seconds)) for name, line in schedule.SCHEDULE.items())
    for name, slot_at in jobs_slots.missing(slots):
        _start(name, slot_at)
    return sent


# the one thing that the scheduler knows; all else stands in rows
BEAT: broker.Schedule = {"jobs.sweep": (15, tick)}
