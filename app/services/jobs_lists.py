"""Jobs for those who look after them: lists, and what is done to many, whoever owns them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.errors import NotFound
from app.extensions import db
from app.models.jobs import Job


def overview(status: str | None, name: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the newest jobs as facts, parts left out.

    Args:
        status: only those in this state.
        name: only those of this kind.
        limit: how many at most.
    """
    statement = select(Job).where(Job.parent_id.is_(None)).options(joinedload(Job.owner)).order_by(Job.id.desc())
    if status:
        statement = statement.where(Job.status == status)
    if name:
        statement = statement.where(Job.name == name)
    return [_facts(job) for job in db.session.scalars(statement.limit(limit))]


def _facts(job: Job) -> dict[str, Any]:
    """Return what a list says of a job."""
    done = f"{job.progress_done}/{job.progress_total}" if job.progress_total else ""
    owner = job.owner.username if job.owner else None
    facts = {"id": job.id, "name": job.name, "owner": owner, "status": job.status, "queue": job.queue}
    facts |= {"attempt": job.attempt, "done": done, "error": job.error, "result": job.result, "sent_at": job.sent_at}
    return facts | {"created_at": job.created_at, "started_at": job.started_at, "finished_at": job.finished_at}


def chosen(ids: Sequence[int]) -> list[Job]:
    """Return these jobs.

    Raises:
        NotFound: naming those that do not exist.
    """
    found = {job.id: job for job in db.session.scalars(select(Job).where(Job.id.in_(ids)))}
    if unknown := [str(job_id) for job_id in ids if job_id not in found]:
        raise NotFound(f"There is no job {', '.join(unknown)}.")
    return [found[job_id] for job_id in ids]
