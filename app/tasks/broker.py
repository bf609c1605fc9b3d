"""Celery over Redis: wakes workers up and is believed nothing; this and the runner are all that know Celery."""

import logging
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import setup_logging, worker_process_init, worker_ready
from flask import Flask
from kombu.transport import redis, virtual

from app import logs
from app.extensions import db
from app.services import audit
from app.tasks.declare import REGISTRY
from app.tasks.runner import SEND_SECONDS, execute, sweep

log = logging.getLogger(__name__)
Schedule = Mapping[str, tuple[int, Callable[[], Any]]]  # name -> every so many seconds, what runs
SWEEP_SECONDS = 300
GRACE_SECONDS = 20  # between the exception in the job and the kill
VISIBILITY_SECONDS = 3600  # longer than any job, or Redis delivers a running one again
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


class Message(virtual.Message):
    """kombu's, without time limits of its own: those of the declaration hold, and a broken one costs the worker."""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        if "task" in (payload.get("headers") or {}):
            payload["headers"]["timelimit"] = [None, None]
        super().__init__(payload, channel=channel, **kwargs)  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    """kombu's, for a Redis that may go away and into which anybody may have written anything."""

    # kombu fails, and the worker with it, while it gives unfinished messages back to a Redis that is gone: nobody
    # needs them back, since the sweeper sends what did not run
    do_restore = False
    Message = Message

    def _brpop_read(self, **options: Any) -> Any:
        """Read a message and hand it to Celery; one that neither understands is dropped, and the worker lives on."""
        before = set(self.qos._delivered)
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except MALFORMED as error:
            log.error("a malformed message was refused: %r", error)
            for tag in set(self.qos._delivered) - before:
                self.qos.ack(tag)
            return True


def init_app(app: Flask, schedule: Schedule) -> None:
    """Give the application its Celery instance, with a task for each declared job and each line of the schedule."""
    redis.Transport.Channel = Channel  # kombu finds the transport by the URL, there is no other place to say it
    celery = Celery(app.import_name, set_as_current=False)
    celery.conf.update(_settings(app, schedule))
    for spec in REGISTRY.values():
        limits = {"soft_time_limit": spec.time_limit, "time_limit": spec.time_limit + GRACE_SECONDS}
        celery.task(_in_context(app, execute), name=spec.name, shared=False, **limits)
    for name, (_seconds, function) in schedule.items():
        celery.task(_in_context(app, function), name=name, shared=False, time_limit=SWEEP_SECONDS)
    app.extensions["celery"] = celery
    _connect_signals(app)


def _in_context(app: Flask, function: Callable[..., Any]) -> Callable[..., None]:
    """Return the function as it runs in a worker: with the application, its log lines naming the job."""

    def task(*args: Any) -> None:
        about = f"job-{args[0]}" if args else "schedule"
        with app.app_context(), logs.about(about), audit.acting(audit.Origin(program="schedule")):
            function(*args)

    return task


def _connect_signals(app: Flask) -> None:
    """Set up logging as in the web process, fresh database connections, and a sweep when a worker starts."""

    def use_our_logging(**_: Any) -> None:
        logs.init_app(app)
        # said at each loss of the connection, about a default that will change
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)

    def forget_parents_connections(**_: Any) -> None:
        with app.app_context():
            db.engine.dispose(close=False)

    setup_logging.connect(use_our_logging, weak=False)
    worker_process_init.connect(forget_parents_connections, weak=False)
    worker_ready.connect(partial(_sweep_at_start, app), weak=False)


def _sweep_at_start(app: Flask, **_: Any) -> None:
    """Take up what was left while no worker ran."""
    with app.app_context(), audit.acting(audit.Origin(program="schedule")):
        sweep()


def _settings(app: Flask, schedule: Schedule) -> dict[str, Any]:
    """Return Celery's configuration."""
    return {
        "broker_url": app.config["REDIS_URL"].replace("unix://", "redis+socket://"),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_connect_timeout": SEND_SECONDS,
            "socket_timeout": 30,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "global_keyprefix": "todos:",
        },
        "task_default_queue": "jobs",
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_concurrency": app.config["WORKER_CONCURRENCY"],
        "worker_max_tasks_per_child": 1000,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # a job needs no Redis once it runs
        "worker_send_task_events": True,
        # every line of the schedule is safe to run early or twice: nothing has to be remembered in a file
        "beat_scheduler": "celery.beat.Scheduler",
        "beat_schedule": {name: {"task": name, "schedule": seconds} for name, (seconds, _) in schedule.items()},
        "timezone": "UTC",
    }
