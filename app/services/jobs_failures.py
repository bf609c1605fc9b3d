"""Jobs that failed, grouped by their errors: what went wrong, how often, and what to run again."""

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import aliased

from app.db import utcnow
from app.extensions import db
from app.models.jobs import Job
from app.models.users import User
from app.services.jobs import visible_to

FAILED_DAYS = 7
GROUPS = 20
WORDS = 100  # characters
AT_ONCE = 200  # jobs of a group that one click runs again: some seconds


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
