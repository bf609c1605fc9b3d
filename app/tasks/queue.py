"""Messages that wake workers up: each is a job's id and nothing else, and may be lost, doubled or late without harm."""

import logging

from celery import Celery
from flask import current_app

from app.models.jobs import Job
from app.services import jobs_sweep

log = logging.getLogger(__name__)
SEND_SECONDS = 1  # of waiting for Redis to connect, and again to answer
SEND_OPTIONS = {"socket_timeout": SEND_SECONDS, "max_retries": 0}


def send(*rows: Job) -> int:
    """Send the jobs' messages and return how many Redis took; never waits long."""
    celery: Celery = current_app.extensions["celery"]
    taken: list[int] = []
    try:
        with celery.connection_for_write(transport_options=SEND_OPTIONS) as connection:
            for row in rows:
                celery.send_task(row.name, args=[row.id], queue=row.queue, connection=connection, retry=False)
                taken.append(row.id)
    except Exception as error:  # noqa: BLE001, whichever layer notices first that Redis is away
        waiting = ", ".join(str(row.id) for row in rows[len(taken) :])
        log.warning("Redis does not answer (%s), these jobs wait: %s", type(error).__name__, waiting[:200])
    if taken:
        jobs_sweep.mark_sent(taken)
    return len(taken)
