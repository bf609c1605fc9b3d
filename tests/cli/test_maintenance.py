"""`flask maintenance`: the site is closed to everybody but probes, and jobs wait."""

import json

import pytest

from app.extensions import db
from app.models import Job, Todo
from app.services import maintenance
from tests.factories import create_job, create_todo


@pytest.fixture(autouse=True)
def look_at_once(app, monkeypatch):
    monkeypatch.setattr(maintenance, "LOOK_SECONDS", 0)
    app.extensions.pop("maintenance", None)  # what a test before has seen
    yield
    app.extensions.pop("maintenance", None)


def test_closed_site_answers_503_to_everybody_but_probes_until_it_is_opened(run, app, cast, login):
    todo = create_todo(cast.ada)
    browser, stranger = login("ada"), app.test_client()
    closed = run("maintenance", "on", "--reason", "We move. Back at 18:00.", "--retry", "60")
    assert (closed.exit_code, "flask maintenance off" in closed.stdout) == (0, True)
    for answer in (browser.get("/todos"), browser.get("/admin/todos/list/"), stranger.get("/login/")):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
        assert "We move. Back at 18:00." in answer.text
    answer = stranger.get("/api/v1/todos/", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["detail"]) == (503, "We move. Back at 18:00.")
    assert browser.send(f"/todos/{todo.id}/delete").status_code == 503
    for path in ("/health", "/health/ready", "/static/css/site.css"):
        with stranger.get(path) as answer:
            assert answer.status_code == 200
    assert run("maintenance", "off").exit_code == 0
    assert browser.get("/todos").status_code == 200
    db.session.rollback()
    assert db.session.get(Todo, todo.id, populate_existing=True).deleted_at is None


def test_jobs_wait_while_it_is_closed(run, app, cast):
    job = create_job(cast.alice)
    task = app.extensions["celery"].tasks["todos.export"]

    def status():
        db.session.rollback()
        return db.session.get(Job, job.id, populate_existing=True).status

    run("maintenance", "on")
    task.run(job.id)
    assert status() == "queued"
    run("maintenance", "off")
    task.run(job.id)
    assert status() == "succeeded"


def test_status_tells_programs(run, cast):
    assert json.loads(run("maintenance", "status", "--json").stdout)["closed"] is False
    assert run("maintenance", "on", "--dry-run").exit_code == 0
    assert run("maintenance", "status").stdout == "Open.\n"
    create_job(cast.alice, "running")
    assert "will finish: 1" in run("maintenance", "on", "--reason", "Soon.").stdout
    found = json.loads(run("maintenance", "status", "--json").stdout)
    assert (found["closed"], found["reason"], found["jobs_running"]) == (True, "Soon.", 1)
    assert "open already" not in run("maintenance", "off").stdout
    assert "open already" in run("maintenance", "off").stdout


def test_reason_that_does_not_fit_is_refused(run, app):
    assert run("maintenance", "on", "--reason", "x" * 201).exit_code == 2
