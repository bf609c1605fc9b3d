"""All jobs at a glance, for those who look after the site: a few statements, however many there are."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from app.db import utcnow
from app.extensions import db
from app.models.jobs import ACTIVE, QUEUES, STATUSES, Job

HOURS = 24


def by_status() -> dict[str, int]:
    """Return how many jobs are in each state; a job in parts counts as one."""
    found = db.session.execute(select(Job.status, func.count()).where(Job.parent_id.is_(None)).group_by(Job.status))
    counts = {str(status): int(count) for status, count in found}
    return {status: counts.get(status, 0) for status in STATUSES}


def queues() -> list[dict[str, Any]]:
    """Return for each queue how many jobs and parts wait and run, and since when the oldest waits."""
    statement = select(Job.queue, Job.status, func.count(), func.min(Job.created_at)).where(Job.status.in_(ACTIVE))
    rows = db.session.execute(statement.group_by(Job.queue, Job.status))
    found = {(queue, status): (count, oldest) for queue, status, count, oldest in rows}
    nothing = (0, None)
    return [
        {
            "name": name,
            "waiting": found.get((name, "queued"), nothing)[0],
            "running": found.get((name, "running"), nothing)[0],
            "oldest_at": found.get((name, "queued"), nothing)[1],
        }
        for name in QUEUES
    ]


def throughput() -> list[dict[str, Any]]:
    """Return for each of the last 24 hours how many jobs succeeded and failed, a job in parts as one, oldest first."""
    this_hour = utcnow().replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - timedelta(hours=back) for back in reversed(range(HOURS))]
    hour = _hour_of(Job.finished_at)
    ended = and_(Job.finished_at >= hours[0], Job.status.in_(("succeeded", "failed")), Job.parent_id.is_(None))
    rows = db.session.execute(select(hour, Job.status, func.count()).where(ended).group_by(hour, Job.status))
    counts = {(at, status): count for at, status, count in rows}
    return [
        {"hour": at, **{status: counts.get((f"{at:%Y-%m-%d %H}", status), 0) for status in ("succeeded", "failed")}}
        for at in hours
    ]


def _hour_of(column: Any) -> ColumnElement[str]:
    """Return the hour of an instant in UTC, as 2030-01-31 23."""
    if db.engine.dialect.name == "sqlite":
        return func.strftime("%Y-%m-%d %H", column)
    return func.to_char(func.timezone("UTC", column), "YYYY-MM-DD HH24")
