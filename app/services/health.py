"""Whether the parts that the application needs are there."""

import logging
from functools import cache
from typing import Any

from alembic.script import ScriptDirectory
from flask import current_app
from redis import Redis, RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.errors import Unavailable
from app.extensions import db

log = logging.getLogger(__name__)


@cache
def older_revisions(directory: str) -> frozenset[str]:
    """Return the revisions that the code has left behind; the files do not change while it runs."""
    scripts = ScriptDirectory(directory)
    return frozenset(script.revision for script in scripts.walk_revisions()) - set(scripts.get_heads())


def is_newest(revision: str | None) -> bool:
    """Tell whether the schema is exactly the one of this code."""
    return revision in ScriptDirectory(current_app.extensions["migrate"].directory).get_heads()


def is_behind(revision: str | None) -> bool:
    """Tell whether the database waits for a migration of ours.

    One that we do not know is newer: the next version has migrated, and we serve until it takes over.
    """
    return revision is None or revision in older_revisions(current_app.extensions["migrate"].directory)


def check() -> dict[str, Any]:
    """Look at database, migrations and Redis; reasons go to the log, since anybody may ask."""
    found = {"status": "ready", "database": "ok", "migrations": "ok", "redis": "ok"}
    try:
        revision = db.session.scalar(text("SELECT version_num FROM alembic_version"))
        if is_behind(revision):
            found |= {"status": "not ready", "migrations": "run: flask db upgrade"}
    except SQLAlchemyError as error:
        db.session.rollback()
        log.warning("not ready: %s", error)
        found |= {"status": "not ready", "database": "does not answer or is empty", "migrations": "unknown"}
    if not redis_answers():
        found["redis"] = "does not answer: jobs wait"
    return found


def check_database() -> str:
    """Let the database look for damage in itself, as far as it can without getting in anybody's way.

    Raises:
        Unavailable: with what it found.
    """
    if db.engine.dialect.name == "sqlite":
        found = list(db.session.scalars(text("PRAGMA integrity_check(5)")))
        problems = [str(line) for line in found if line != "ok"]
    else:
        broken = text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid OR NOT indisready")
        problems = [f"the index {name} is not valid" for name in db.session.scalars(broken)]
    if problems:
        raise Unavailable("The database is damaged: " + "; ".join(problems))
    return "ok"


def redis_answers() -> bool:
    """Tell whether Redis answers within a second."""
    try:
        with Redis.from_url(current_app.config["REDIS_URL"], socket_connect_timeout=1, socket_timeout=1) as redis:
            return bool(redis.ping())
    except RedisError:
        return False
