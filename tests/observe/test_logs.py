"""Log lines as programs read them: each with what it is about."""

import json
import logging

import pytest
from flask import g, request_finished

from app import logs
from tests.conftest import count_queries
from tests.faults.processes import environment
from tests.test_gunicorn import SERVERS, Site


@pytest.fixture(scope="module")
def lines(new_database, valkey, tmp_path_factory):
    """What a gunicorn wrote that logs JSON and finds every request slow, from its start to its end."""
    environ = environment(
        new_database("sqlite"), valkey.url, WEB_CONCURRENCY="1", LOG_FORMAT="json", SLOW_REQUEST_MS="1"
    )
    site = Site(SERVERS["gunicorn run:app"], environ, tmp_path_factory.mktemp("json") / "log")
    try:
        site.wait()
        site.ask("/health/ready", **{"X-Request-ID": "ready-01234567"})
        site.ask("/login/", "POST", "username=a&password=b", **{"X-Request-ID": "login-01234567"})
        site.ask("/no%0awhere", **{"X-Request-ID": "where-01234567"})
        site.process.terminate()
        return [json.loads(line) for line in site.process.output().splitlines() if line.startswith("{")]
    finally:
        site.process.kill()


def about(lines, request, logger):
    return [line for line in lines if line.get("request") == request and line["logger"] == logger]


def test_every_line_says_when_what_and_about_what(lines):
    assert len(lines) >= 6
    for line in lines:
        assert {"time", "level", "logger", "message", "request", "user"} <= set(line), line
        assert line["time"].endswith("+00:00")


def test_request_has_one_line_with_its_cost(lines):
    [line] = about(lines, "ready-01234567", "gunicorn.access")
    assert (line["method"], line["route"], line["path"], line["status"]) == (
        "GET",
        "/health/ready",
        "/health/ready",
        503,
    )
    assert line["statements"] >= 1
    assert line["duration_ms"] >= 0
    assert line["bytes"] > 0
    [lost] = about(lines, "where-01234567", "gunicorn.access")
    assert (lost["route"], lost["path"]) == ("none", "/no%0awhere")


def test_slow_request_is_told_with_its_statements(lines):
    [line] = about(lines, "ready-01234567", "app.measures")
    assert line["level"] == "WARNING"
    assert line["message"].startswith("slow: GET /health/ready 503 took ")
    assert line["statements"] == about(lines, "ready-01234567", "gunicorn.access")[0]["statements"]


def test_statements_of_a_request_are_counted_once_each(app, login):
    counted = []

    def note(*_, **__):
        counted.append(g.cost.statements)

    with request_finished.connected_to(note, app), count_queries() as statements:
        login("alice").get("/todos")
    assert counted == [len(statements)]
    assert len(statements) > 1


def test_line_of_a_job_names_it_and_its_owner(app, cast):
    record = logging.LogRecord("app.tasks", logging.INFO, __file__, 1, "done\nforged", (), None)
    before = logs.job_owner.get()
    with logs.about("job-7"):
        logs.job_owner.set(cast.alice.id)
        assert logs._About().filter(record)
    assert logs.job_owner.get() == before
    line = json.loads(logs.Json().format(record))
    assert (line["job"], line["user"], line["message"]) == (7, cast.alice.id, "done\\nforged")


def test_line_of_a_request_names_who_is_signed_in(app, cast, login):
    seen = []
    handler = logging.Handler()
    handler.addFilter(logs._About())
    handler.emit = seen.append
    app.logger.addHandler(handler)
    app.config["SLOW_REQUEST_MS"], before = 1, app.config["SLOW_REQUEST_MS"]
    logging.getLogger("app.measures").addHandler(handler)
    try:
        login("alice").get("/todos").close()
    finally:
        app.config["SLOW_REQUEST_MS"] = before
        app.logger.removeHandler(handler)
        logging.getLogger("app.measures").removeHandler(handler)
    assert {record.user for record in seen} == {cast.alice.id}
