"""What is wrong with an installation, and what to do about it."""

import shutil
import smtplib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir

from flask import current_app
from flask_appbuilder.security.sqla.models import Role
from redis import Redis, RedisError
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.db import UTF8_REMEDY, encoding, knows_letters, utcnow
from app.extensions import db
from app.models.users import User
from app.services import health, mail
from app.services.doctor_finding import Finding
from app.services.doctor_jobs import closed, jobs, scheduler, workers
from app.services.permissions import Grant

CLOCK_SECONDS = 5
REDIS_LIMITS = {"socket_connect_timeout": 2, "socket_timeout": 2}


def examine(roles: Mapping[str, set[Grant]]) -> Iterator[Finding]:
    """Look at everything, and go on when something is broken.

    Args:
        roles: the grants that each built-in role should have.
    """
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        settings,
        database,
        redis,
        clock,
        disk,
        post,
        jobs,
        workers,
        scheduler,
        closed,
    )
    for look in (*looks[:2], lambda: permissions(roles), *looks[2:]):
        try:
            yield from look()
        except SQLAlchemyError as error:
            db.session.rollback()
            name = getattr(look, "__name__", "").replace("<lambda>", "permissions")
            yield Finding(
                name, "failed", f"cannot be looked at: {type(error).__name__}", "See database and migrations."
            )


def settings() -> Iterator[Finding]:
    """Say what is legal, but seldom meant."""
    config = current_app.config
    env = config["APP_ENV"]
    yield Finding("settings", "ok", f"complete, for {env}")
    if env != "production":
        return
    if not config["SESSION_COOKIE_SECURE"]:
        remedy = "Set SESSION_COOKIE_SECURE=1 and serve by https."
        yield Finding("cookie", "warning", "sessions travel over http too", remedy)
    if not config["ALLOWED_HOSTS"]:
        remedy = "Set TRUSTED_HOSTS to the names that the site has."
        yield Finding("hosts", "warning", "the site answers to any Host header", remedy)
    if not config["PROXY_HOPS"]:
        remedy = "Set PROXY_HOPS to the number of proxies in front; leave it at 0 without one."
        found = "X-Forwarded-* headers are not believed: every visitor has the proxy's address, if there is one"
        yield Finding("proxy", "warning", found, remedy)
    if config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite"):
        yield Finding("storage", "warning", "SQLite is for one machine", "See docs/back-up.md on how to move.")


def database() -> Iterator[Finding]:
    """Look at the connection, the schema and whether somebody can administer the site."""
    try:
        version = db.session.scalar(text(VERSIONS[db.engine.dialect.name]))
    except SQLAlchemyError as error:
        db.session.rollback()
        found = f"does not answer: {' '.join(str(getattr(error, 'orig', error)).split())}"
        yield Finding("database", "failed", found, "Check SQLALCHEMY_DATABASE_URI and the server.")
        return
    yield Finding("database", "ok", f"{db.engine.dialect.name} {version}")
    if wrong := encoding(db.session.connection()):
        yield Finding("encoding", "failed", f"{wrong}, not UTF8: most letters cannot be stored", UTF8_REMEDY)
    elif not knows_letters(db.session.connection()):
        remedy = "Make a database with LOCALE 'C.UTF-8' TEMPLATE template0, and restore a backup into it."
        yield Finding("letters", "warning", "its locale knows A to Z only: a search for ö misses Ö", remedy)
    try:
        revision = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError:
        db.session.rollback()
        revision = None
    if health.is_newest(revision):
        yield Finding("migrations", "ok", f"at {revision}")
    elif health.is_behind(revision):
        found = f"the schema is at {revision}" if revision else "there are no tables"
        yield Finding("migrations", "failed", found, "Run flask db upgrade, then flask sync.")
        return
    else:
        yield Finding("migrations", "warning", f"{revision} is newer than this version", "Finish the upgrade.")
    if reason := refusal():
        remedy = "Is its disk full, its file or folder read-only, or is this a replica? Check SQLALCHEMY_DATABASE_URI."
        yield Finding("writing", "failed", f"the database takes no changes: {reason}", remedy)
    admins = select(func.count()).select_from(User).where(User.roles.any(Role.name == "Admin"), User.active)
    if count := db.session.scalar(admins):
        yield Finding("admins", "ok", f"{count} active")
    else:
        yield Finding("admins", "failed", "nobody can administer the site", "Run flask fab create-admin.")


def refusal() -> str:
    """Return why the database takes no changes, by a change of nothing; empty if it does."""
    try:
        db.session.execute(text("UPDATE alembic_version SET version_num = version_num WHERE 1 = 0"))
    except DBAPIError as error:
        return str(error.orig)
    finally:
        db.session.rollback()
    return ""


VERSIONS = {"postgresql": "SHOW server_version", "sqlite": "SELECT sqlite_version()"}


def permissions(roles: Mapping[str, set[Grant]]) -> Iterator[Finding]:
    """Compare the built-in roles with the code."""
    rows = db.session.scalars(select(Role).where(Role.name.in_(roles)))
    found = {row.name: {(pair.permission.name, pair.view_menu.name) for pair in row.permissions} for row in rows}
    if wrong := sorted(name for name in roles if found.get(name) != roles[name]):
        yield Finding("permissions", "failed", f"{', '.join(wrong)} differ from the code", "Run flask sync.")
    else:
        yield Finding("permissions", "ok", f"{len(roles)} built-in roles as the code wants them")


def redis() -> Iterator[Finding]:
    """Look at Redis, without which jobs wait: one that is full or a replica answers, but takes no message."""
    try:
        with Redis.from_url(current_app.config["REDIS_URL"], **REDIS_LIMITS) as server:
            server.set("todos:doctor", "was here", ex=10)
        yield Finding("redis", "ok", "takes messages")
    except RedisError as error:
        found = f"takes no messages, so jobs wait: {error}"
        yield Finding("redis", "failed", found, "Check REDIS_URL, the server, its password and its memory.")


def clock() -> Iterator[Finding]:
    """Compare our clock with those of the database and Redis: leases and sessions go by it."""
    others: dict[str, datetime] = {}
    if db.engine.dialect.name == "postgresql":
        others["the database"] = db.session.execute(text("SELECT clock_timestamp()")).scalar_one()
    try:
        with Redis.from_url(current_app.config["REDIS_URL"], **REDIS_LIMITS) as server:
            seconds, micros = server.time()
            others["Redis"] = datetime.fromtimestamp(seconds + micros / 1e6, UTC)
    except RedisError:
        pass  # told already
    apart = {name: abs((utcnow() - instant).total_seconds()) for name, instant in others.items()}
    for name, seconds_apart in apart.items():
        if seconds_apart > CLOCK_SECONDS:
            found = f"{seconds_apart:.0f} s apart from that of {name}"
            yield Finding("clock", "failed", found, "Let both machines set their clocks by NTP.")
            return
    yield Finding("clock", "ok", f"agrees with {' and '.join(apart)}" if apart else "nothing to compare it with")


def disk() -> Iterator[Finding]:
    """Look at the space where files are written."""
    folders = {Path(gettempdir())}
    if db.engine.dialect.name == "sqlite" and db.engine.url.database:
        folders.add(Path(db.engine.url.database).absolute().parent)
    for folder in sorted(one for one in folders if one.is_dir()):
        usage = shutil.disk_usage(folder)
        share = usage.free / usage.total
        status = "ok" if share > 0.1 else "warning" if share > 0.02 else "failed"
        remedy = "" if status == "ok" else "Free some space or enlarge the disk."
        yield Finding("disk", status, f"{share:.0%} of {folder} free ({usage.free >> 20:,} MiB)", remedy)


def post() -> Iterator[Finding]:
    """Say hello to the mail server, if there is one."""
    if not mail.is_configured():
        yield Finding("mail", "ok", "not configured: nobody gets mails")
        return
    try:
        with mail.connection():
            yield Finding("mail", "ok", "the server takes mails")
    except (OSError, smtplib.SMTPException) as error:
        yield Finding("mail", "failed", f"the server does not take mails: {error}", "Check SMTP_URL and the server.")
