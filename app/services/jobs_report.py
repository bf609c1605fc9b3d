"""All jobs at a glance, for those who look after the site: a few statements, however many there are."""

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import aliased

from app.db import utcnow
from app.extensions import db
from app.models.jobs import ACTIVE, QUEUES, STATUSES, Job
from app.models.users import User
from app.services.jobs import visible_to

HOURS = 24
FAILED_DAYS = 7
GROUPS = 20
WORDS = 100  # characters
AT_ONCE = 200  # jobs of a group that one click runs again: some seconds


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
    """Return for each of the last 24 hours how many jobs and parts succeeded and failed, the oldest hour first."""
    this_hour = utcnow().replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - timedelta(hours=back) for back in reversed(range(HOURS))]
    hour = _hour_of(Job.finished_at)
    ended = and_(Job.finished_at >= hours[0], Job.status.in_(("succeeded", "failed")))
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


def failures() -> list[dict[str, Any]]:
    """Return the errors of the last days, the commonest first, numbers in them left out, each with its last job.

    Of each, `left` is how many nobody has run again.
    """
    statement = select(Job.name, Job.error, func.count(), func.sum(case((_repeated(), 0), else_=1)), func.max(Job.id))
    statement = statement.add_columns(func.max(Job.finished_at)).where(_failed()).group_by(Job.name, Job.error)
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    rows = db.session.execute(statement.order_by(func.max(Job.id).desc()).limit(500))
    for name, error, count, left, job_id, at in rows:
        facts = {"name": name, "error": _alike(error), "count": 0, "left": 0, "job_id": job_id, "at": at}
        facts["words"] = max(facts["error"].split("…"), key=len)[:WORDS]  # what the list can be searched for
        group = groups.setdefault((name, facts["error"]), facts)
        group["count"] += count
        group["left"] += left
    return sorted(groups.values(), key=lambda group: -group["count"])[:GROUPS]


def failed_alike(viewer: User, name: str, error: str) -> list[Job]:
    """Return the jobs of a group of `failures` that nobody has run again, at most `AT_ONCE`, the oldest first."""
    pattern = re.sub(r"([\\%_])", r"\\\1", error).replace("…", "%")
    alike = func.coalesce(Job.error, "").like(pattern, escape="\\")
    statement = select(Job).where(visible_to(viewer), _failed(), Job.name == name, alike, ~_repeated())
    found = [job for job in db.session.scalars(statement.order_by(Job.id)) if _alike(job.error) == error]
    return found[:AT_ONCE]


def _alike(error: str | None) -> str:
    """Leave out the numbers of an error, so that those of one kind are one group."""
    return re.sub(r"\d+", "…", error or "")


def _failed() -> ColumnElement[bool]:
    """Select the jobs that failed in the last days; a job in parts is one."""
    since = utcnow() - timedelta(days=FAILED_DAYS)
    return and_(Job.status == "failed", Job.finished_at >= since, Job.parent_id.is_(None))


def _repeated() -> ColumnElement[bool]:
    """Select jobs that somebody has run again."""
    repeat = aliased(Job)
    return select(repeat.id).where(repeat.again_of_id == Job.id).correlate(Job).exists()
