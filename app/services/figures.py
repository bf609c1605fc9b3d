"""Figures of the whole site for Prometheus, read from the database and the machine when they are asked for.

What processes count belongs into app/metrics.py; jobs are rows, so whoever asks gets the same answer for all workers.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.db import utcnow
from app.extensions import db
from app.metrics import REGISTRY
from app.models.jobs import Job
from app.services import jobs_slots, jobs_workers


class Site(Collector):
    """Reads the figures with a few statements, however many rows there are."""

    def collect(self) -> Iterator[Metric]:
        """Yield them; without a database only that there is none."""
        yield from disks()
        up = GaugeMetricFamily("todos_database_up", "Whether the database answers.", 1)
        try:
            yield from [*jobs(), *workers(), *schedule()]
        except SQLAlchemyError:
            db.session.rollback()
            up = GaugeMetricFamily("todos_database_up", "Whether the database answers.", 0)
        yield up

    def describe(self) -> list[Metric]:
        """Name nothing in advance, which would ask the database."""
        return []


def jobs() -> Iterator[Metric]:
    """Yield how many jobs there are, how many wait, and for how long."""
    family = GaugeMetricFamily("todos_jobs", "Jobs by kind and status.", labels=["kind", "status"])
    counted = db.session.execute(select(Job.name, Job.status, func.count()).group_by(Job.name, Job.status)).all()
    for name, status, count in counted:
        family.add_metric([name, status], count)
    yield family
    waiting = sum(count for _, status, count in counted if status == "queued")
    yield GaugeMetricFamily("todos_jobs_waiting", "Jobs that wait for a worker.", waiting)
    oldest = db.session.scalar(select(func.min(Job.created_at)).where(Job.status == "queued"))
    age = (utcnow() - oldest).total_seconds() if oldest else 0
    yield GaugeMetricFamily("todos_jobs_oldest_waiting_seconds", "How long the oldest of them has waited.", max(0, age))


def workers() -> Iterator[Metric]:
    """Yield how many workers live, and when each was last seen."""
    known = jobs_workers.all_known()
    alive = sum(map(jobs_workers.is_alive, known))
    yield GaugeMetricFamily("todos_workers", "Workers that showed a sign of life lately.", alive)
    family = GaugeMetricFamily("todos_worker_silent_seconds", "Since its last sign of life.", labels=["worker"])
    for worker in known:
        family.add_metric([worker.name], max(0, (utcnow() - worker.seen_at).total_seconds()))
    yield family


def schedule() -> Iterator[Metric]:
    """Yield for how long nothing was started by the clock."""
    family = GaugeMetricFamily("todos_schedule_silent_seconds", "Since the last turn of what runs by the clock.")
    if (silence := jobs_slots.silence()) is not None:
        family.add_metric([], max(0, silence.total_seconds()))
    yield family


def disks() -> Iterator[Metric]:
    """Yield the space of the disks that the process writes to."""
    free = GaugeMetricFamily("todos_disk_free_bytes", "Free space.", labels=["folder"])
    size = GaugeMetricFamily("todos_disk_size_bytes", "Space in all.", labels=["folder"])
    folders = {"temporary": Path(gettempdir())}
    if db.engine.dialect.name == "sqlite" and db.engine.url.database:
        folders["database"] = Path(db.engine.url.database).parent
    for name, folder in folders.items():
        if not folder.is_dir():
            continue
        usage = shutil.disk_usage(folder)
        free.add_metric([name], usage.free)
        size.add_metric([name], usage.total)
    yield from (free, size)


def scrape() -> bytes:
    """Return all metrics in Prometheus's text format."""
    registry = CollectorRegistry()
    if values.ValueClass is values.MutexValue:
        registry.register(REGISTRY)
    else:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(Site())
    return generate_latest(registry)
