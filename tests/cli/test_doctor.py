"""`flask doctor`: finds what is broken, says what to do, and tells scripts by its exit code."""

import io
import json
from datetime import timedelta
from shutil import _ntuple_diskusage
from urllib.error import HTTPError

import pytest
from redis import Redis
from sqlalchemy import text

from app import create_app
from app.db import utcnow
from app.extensions import db
from app.models import JobSlot
from app.models.jobs import QUEUES
from app.services import jobs_workers, maintenance
from tests.cli.conftest import run_on
from tests.conftest import db_dispose, migrate, settings
from tests.factories import create_job


def examined(result):
    return {finding["about"]: finding for finding in json.loads(result.stdout)}


@pytest.fixture(autouse=True)
def disk(monkeypatch):
    """One with space, whatever the machine has."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: _ntuple_diskusage(1000 << 20, 500 << 20, 500 << 20))


def test_healthy_site_passes(run, cast):
    jobs_workers.seen("worker@host", QUEUES, 2, [])
    last_turn(timedelta(minutes=14))
    result = run("doctor", "--json")
    assert result.exit_code == 0, result.stdout
    found = examined(result)
    assert {finding["status"] for finding in found.values()} == {"ok"}
    assert {
        "settings",
        "database",
        "migrations",
        "admins",
        "permissions",
        "redis",
        "clock",
        "disk",
        "mail",
        "workers",
        "scheduler",
    } <= set(found)
    assert "ok       database: " in run("doctor").stdout


def last_turn(ago):
    db.session.add(JobSlot(name="users.greet", slot_at=utcnow() - ago))
    db.session.commit()


def broken_roles(cast):
    role = cast.vera.roles[0]
    role.permissions = role.permissions[1:]
    db.session.commit()


def no_admin(cast):
    cast.ada.active = False
    db.session.commit()


def waiting_job(cast):
    create_job(cast.alice, created_at=utcnow() - timedelta(hours=1))


def old_schema(cast):
    db.session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    db.session.commit()


def newer_schema(cast):
    db.session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    db.session.commit()


def only_short_jobs(_):
    jobs_workers.seen("interactive@host", ["interactive"], 2, [])


BROKEN = [
    (broken_roles, "permissions", "failed", "Run flask sync."),
    (no_admin, "admins", "failed", "Run flask fab create-admin."),
    (waiting_job, "jobs", "failed", "Start a worker"),
    (old_schema, "migrations", "failed", "Run flask db upgrade"),
    (newer_schema, "migrations", "warning", "Finish the upgrade."),
    (lambda _: None, "workers", "failed", "Start one"),
    (only_short_jobs, "workers", "failed", "--queues=bulk"),
    (lambda _: None, "scheduler", "warning", "Start one: celery -A run beat"),
    (lambda _: last_turn(timedelta(minutes=46)), "scheduler", "failed", "Start one: celery -A run beat"),
    (lambda _: maintenance.on("Soon."), "maintenance", "warning", "Run flask maintenance off."),
]


@pytest.mark.parametrize(("harm", "about", "status", "remedy"), BROKEN)
def test_what_is_broken_is_named_with_a_remedy(run, cast, harm, about, status, remedy):
    if about != "workers":
        jobs_workers.seen("worker@host", QUEUES, 2, [])
    head = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    harm(cast)
    try:
        result = run("doctor", "--json")
        assert result.exit_code == (1 if status == "failed" else 0)
        found = examined(result)[about]
        assert (found["status"], remedy in found["remedy"]) == (status, True), found
        assert remedy in run("doctor").stdout
    finally:
        db.session.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": head})
        db.session.commit()
        run("sync")


def test_site_without_anything_is_examined_to_the_end():
    app = create_app(settings("sqlite:////nowhere/todos.db"))
    result = run_on(app, "doctor", "--json")
    db_dispose(app)
    found = examined(result)
    assert result.exit_code == 1
    assert {name for name, finding in found.items() if finding["status"] == "failed"} >= {"database", "redis"}
    assert "disk" in found


def test_database_that_takes_no_changes_is_told(run, cast, frozen):
    with frozen():
        found = examined(run("doctor", "--json"))
    assert (found["writing"]["status"], found["database"]["status"]) == ("failed", "ok")
    assert "a replica?" in found["writing"]["remedy"]


def test_production_warns_of_what_is_seldom_meant(make_app, cast):
    jobs_workers.seen("worker@host", QUEUES, 2, [])
    app = make_app()
    app.config.update(APP_ENV="production", SESSION_COOKIE_SECURE=False, ALLOWED_HOSTS=[], PROXY_HOPS=0)
    result = run_on(app, "doctor", "--json")
    assert result.exit_code == 0
    warned = {name for name, finding in examined(result).items() if finding["status"] == "warning"}
    assert {"cookie", "hosts", "proxy"} <= warned


def test_address_outside_of_the_prefix_and_one_that_does_not_answer_fail(make_app, cast):
    app = make_app(SCRIPT_NAME="/todo")
    for url in ("http://127.0.0.1:9/", "127.0.0.1:9/todo/", "http://127.0.0.1:9/our/todo/"):
        assert f"{url} is not https://, a host and /todo/" in run_on(app, "doctor", "--url", url).stdout
    result = run_on(app, "doctor", "--url", "http://127.0.0.1:9/todo/")
    assert (result.exit_code, "no answer" in result.stdout) == (1, True)


def clock_is_off(app, monkeypatch):
    later = utcnow() + timedelta(minutes=1)
    monkeypatch.setattr("app.db.clock", lambda: later)


def disk_is_full(app, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: _ntuple_diskusage(1000 << 20, 990 << 20, 10 << 20))


def mail_server_is_away(app, monkeypatch):
    app.config.update(SMTP_URL="smtp://127.0.0.1:1", MAIL_FROM="todos@example.org", PUBLIC_URL="http://localhost")


AWAY = [
    (clock_is_off, "clock", " s apart from that of", "NTP"),
    (disk_is_full, "disk", "1% of", "enlarge the disk"),
    (mail_server_is_away, "mail", "does not take mails: ", "Check SMTP_URL"),
]


@pytest.mark.parametrize(("harm", "about", "said", "remedy"), AWAY)
def test_what_is_wrong_around_the_site_fails_with_a_remedy(make_app, cast, monkeypatch, harm, about, said, remedy):
    app = make_app()
    jobs_workers.seen("worker@host", QUEUES, 2, [])
    harm(app, monkeypatch)
    result = run_on(app, "doctor", "--json")
    found = examined(result)[about]
    assert (result.exit_code, found["status"], said in found["found"]) == (1, "failed", True), found
    assert remedy in found["remedy"]


@pytest.mark.parametrize(
    ("answer", "about", "remedy"),
    [
        ('<a href="/todo/x">', "proxy headers", "Set PROXY_HOPS"),  # as http: no Strict-Transport-Security
        ('<a href="/x">', "prefix", "Set SCRIPT_NAME"),
        (HTTPError("", 400, "", {}, None), "url", "TRUSTED_HOSTS"),
    ],
)
def test_proxy_that_hands_on_too_little_is_found(make_app, cast, monkeypatch, answer, about, remedy):
    def ask(*_, **__):
        if isinstance(answer, HTTPError):
            raise answer
        page = io.BytesIO(answer.encode())
        page.headers = {}
        return page

    monkeypatch.setattr("app.services.doctor_web.urlopen", ask)
    result = run_on(make_app(SCRIPT_NAME="/todo"), "doctor", "--url", "https://localhost/todo/", "--json")
    found = examined(result)[about]
    assert (result.exit_code, found["status"], remedy in found["remedy"]) == (1, "failed", True), found


def test_database_that_cannot_store_every_letter_is_refused_and_told(new_database):
    uri = new_database("postgresql", "ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    app = create_app(settings(uri))
    result = run_on(app, "db", "upgrade")
    assert (result.exit_code, "encoded in SQL_ASCII" in result.stderr) == (1, True), result.output
    assert "ENCODING 'UTF8'" in examined(run_on(app, "doctor", "--json"))["encoding"]["remedy"]
    db_dispose(app)


def test_database_whose_locale_knows_few_letters_is_told(new_database):
    app = create_app(settings(new_database("postgresql", "TEMPLATE template0 LOCALE 'C'")))
    migrate(app)
    found = examined(run_on(app, "doctor", "--json"))["letters"]
    assert (found["status"], "'C.UTF-8'" in found["remedy"]) == ("warning", True)
    db_dispose(app)


def test_redis_that_answers_but_takes_nothing_is_found(run, cast, valkey):
    with Redis.from_url(valkey.url) as server:
        server.config_set("maxmemory", 1)
        try:
            found = examined(run("doctor", "--json"))["redis"]
        finally:
            server.config_set("maxmemory", 0)
    assert (found["status"], "used memory > 'maxmemory'" in found["found"]) == ("failed", True), found
