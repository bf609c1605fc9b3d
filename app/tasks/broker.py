"""Celery over Redis: wakes workers up and is believed nothing; this and the runner are all that know Celery."""

import logging
import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from billiard import pool
from celery import Celery
from celery.exceptions import CPendingDeprecationWarning, WorkerLostError
from celery.signals import (
    setup_logging,
    worker_init,
    worker_process_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from celery.worker.request import Request
from flask import Flask
from kombu.transport import redis
from sqlalchemy.exc import SQLAlchemyError

from app import logs
from app.extensions import db
from app.models.jobs import QUEUES
from app.services import audit, jobs_sweep, maintenance
from app.tasks.declare import REGISTRY, TRANSIENT, told
from app.tasks.presence import Presence
from app.tasks.queue import SEND_SECONDS
from app.tasks.runner import execute, sweep
from app.tasks.transport import MALFORMED, Channel, Seldom

log = logging.getLogger(__name__)
Schedule = Mapping[str, tuple[int, Callable[[], Any]]]  # name -> every so many seconds, what runs
SWEEP_SECONDS = 300
GRACE_SECONDS = 20  # between the exception in the job and the kill
EXPIRE_TURNS = 4  # after which a message of the schedule that nobody took is dropped
# that a child waits, before it ends, for its parent to take note of its last job: billiard's 30 seconds pass in full if
# the job was handed out just when the worker was told to end, since the parent listens no more
HEARD_TENTHS = 20
VISIBILITY_SECONDS = 2 * 3600  # longer than any job, or Redis delivers a running one again


class JobRequest(Request):
    """What the worker's main process knows of a job in one of its children: it sees them die."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Fail a job that did not end by itself when it was told that its time was over."""
        super().on_timeout(soft, timeout)
        if not soft:
            self._tell(partial(jobs_sweep.fail_over_time, told()))

    def on_failure(self, exc_info: Any, **kwargs: Any) -> None:
        """Let another process begin at once where one died; the message goes back to Redis after that."""
        if isinstance(exc_info.exception, WorkerLostError):
            self._tell(jobs_sweep.let_go)
        super().on_failure(exc_info, **kwargs)

    def _tell(self, what: Callable[[int, str, int | None], None]) -> None:
        """Write to the job's row; if that is not possible, the lease runs out and the sweeper does it."""
        app: Flask = self.task.app.flask
        try:
            with app.app_context():
                what(int(self.args[0]), self.hostname, self.worker_pid)
        except (SQLAlchemyError, *MALFORMED) as error:
            log.warning("nothing could be noted about a process that died: %r", error)


def init_app(app: Flask, schedule: Schedule) -> None:
    """Give the application its Celery instance, with a task for each declared job and each line of the schedule."""
    redis.Transport.Channel = Channel  # kombu finds the transport by the URL, there is no other place to say it
    pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = HEARD_TENTHS
    celery = Celery(app.import_name, set_as_current=False)
    celery.conf.update(_settings(app, schedule))
    celery.flask = app
    presence = Presence(app)
    for spec in REGISTRY.values():
        limits = {"soft_time_limit": spec.time_limit, "time_limit": spec.time_limit + GRACE_SECONDS}
        task = _in_context(app, partial(_execute, presence))
        celery.task(task, name=spec.name, bind=True, Request=JobRequest, shared=False, **limits)
    for name, (_seconds, function) in schedule.items():
        task = _in_context(app, lambda _task, function=function: function())
        celery.task(task, name=name, bind=True, shared=False, time_limit=SWEEP_SECONDS)
    app.extensions["celery"] = celery
    _connect_signals(app, presence)


def _execute(presence: Presence, task: Any, job_id: int) -> None:
    """Run a job in a child of a worker."""
    execute(job_id, task.request.hostname or "", os.getpid(), presence.is_over)


def _in_context(app: Flask, function: Callable[..., Any]) -> Callable[..., None]:
    """Return the function as it runs in a worker: with the application, its log lines naming the job."""

    def run(task: Any, *args: Any) -> None:
        about = f"job-{args[0]}" if args else "schedule"
        with app.app_context(), logs.about(about), audit.acting(audit.Origin(program="schedule")):
            if maintenance.current():
                log.info("the site is closed: %s waits", about)  # the sweeper sends it again
                return
            try:
                function(task, *args)
            except TRANSIENT as error:  # the next sweep after its return sends all that waits
                log.warning("the database does not answer, %s waits: %s", about, str(error.orig).partition("\n")[0])  # type: ignore[attr-defined]

    return run


def _connect_signals(app: Flask, presence: Presence) -> None:
    """Set up logging as in the web process, fresh database connections, presence, and a sweep when a worker starts."""

    def use_our_logging(**_: Any) -> None:
        logs.init_app(app)
        logging.getLogger("celery.worker.consumer.consumer").addFilter(Seldom())

    def forget_parents_connections(**_: Any) -> None:
        with app.app_context():
            db.engine.dispose(close=False)

    sweep_now = _in_context(app, lambda _task: sweep())

    def begin(sender: Any, **_: Any) -> None:
        # said at each loss of the connection, about a default that will change
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
        presence.begin(sender)
        sweep_now(None)

    setup_logging.connect(use_our_logging, weak=False)
    worker_init.connect(presence.prepare, weak=False)
    worker_process_init.connect(forget_parents_connections, weak=False)
    worker_ready.connect(begin, weak=False)
    worker_shutting_down.connect(presence.stop, weak=False)
    worker_shutdown.connect(presence.end, weak=False)


def _settings(app: Flask, schedule: Schedule) -> dict[str, Any]:
    """Return Celery's configuration."""
    return {
        "broker_url": app.config["REDIS_URL"].replace("unix://", "redis+socket://"),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,  # a Redis that is full or read-only does not end the worker either
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_connect_timeout": SEND_SECONDS,
            "socket_timeout": 30,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "global_keyprefix": "todos:",
            "queue_order_strategy": "priority",  # in the order of task_queues
        },
        "task_queues": {name: {"exchange": name, "routing_key": name} for name in QUEUES},
        "task_default_queue": QUEUES[0],
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
        "beat_scheduler": "app.tasks.clock:Clock",
        "beat_schedule": {
            # what nobody took for some turns need not be done twice; not for one: machines differ by some seconds
            name: {"task": name, "schedule": seconds, "options": {"expires": EXPIRE_TURNS * seconds}}
            for name, (seconds, _) in schedule.items()
        },
        "timezone": "UTC",
    }
