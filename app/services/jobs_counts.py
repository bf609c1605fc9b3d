"""How many jobs are in which state, for those who run the site."""

from sqlalchemy import func, select

from app.extensions import db
from app.models.jobs import Job


def running() -> int:
    """Return how many jobs run."""
    return int(db.session.scalar(select(func.count()).select_from(Job).where(Job.status == "running")) or 0)
