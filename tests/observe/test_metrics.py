"""Metrics: what is told, to whom, and that dashboard and alerts ask for nothing else."""

import fcntl
import io
import json
import os
import re
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.db import utcnow
from app.services import attachments, figures, jobs_slots, jobs_workers, users_accounts
from config import ROOT
from tests.conftest import count_queries
from tests.factories import PASSWORD, PNG, create_job, create_todo
from tests.faults.processes import environment, wait_until
from tests.test_gunicorn import SERVERS, Site

TOKEN = "a-token-for-prometheus"
# of other exporters, which the alerts may rely on where they run
FOREIGN = {"certmanager_certificate_expiration_timestamp_seconds"}
ENDINGS = ("_bucket", "_count", "_sum")


def parsed(text):
    """The samples by name, as Prometheus reads them."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(found, name, **labels):
    return sum(number for has, number in found.get(name, []) if labels.items() <= has.items())


@pytest.fixture
def scrape(app):
    return lambda: parsed(figures.scrape().decode())


def test_metrics_are_closed_without_a_token_of_ours(app):
    answer = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "given", [None, "Bearer", "Bearer wrong-wrong-wrong-wrong", f"Basic {TOKEN}", f"Bearer {TOKEN} "]
)
def test_wrong_token_is_refused(make_app, given):
    headers = {"Authorization": given} if given else {}
    answer = make_app(METRICS_TOKEN=TOKEN).test_client().get("/metrics", headers=headers)
    assert answer.status_code == (200 if given == f"Bearer {TOKEN} " else 401)


def test_right_token_gets_what_prometheus_can_read_from_any_host_and_without_the_prefix(make_app):
    other = make_app(METRICS_TOKEN=TOKEN, SCRIPT_NAME="/todo", TRUSTED_HOSTS="todos.example.org")
    for path in ("/metrics", "/todo/metrics"):
        answer = other.test_client().get(
            path, headers={"Authorization": f"Bearer {TOKEN}"}, base_url="http://10.0.0.7:5000"
        )
        assert answer.status_code == 200
        assert answer.content_type.startswith("text/plain")
        assert value(parsed(answer.text), "todos_database_up") == 1


def test_requests_are_counted_by_template_and_never_by_id(app, cast, login, scrape):
    todo = create_todo(cast.alice)
    browser = login("alice")
    labels = {"method": "GET", "route": "/todos/<id:todo_id>", "status": "200"}
    before = value(scrape(), "todos_requests_total", **labels)
    for path in (f"/todos/{todo.id}", "/nowhere/4711", "/todos?q=4711"):
        browser.get(path).close()
    browser.open("/todos", method="BREW").close()
    after = scrape()
    assert value(after, "todos_requests_total", **labels) == before + 1
    assert value(after, "todos_request_seconds_count", route="/todos/<id:todo_id>") >= 1
    known = {rule.rule for rule in app.url_map.iter_rules()} | {"none"}
    assert {has["route"] for has, _ in after["todos_requests_total"]} <= known
    assert value(after, "todos_requests_total", method="OTHER") >= 1


def test_jobs_are_told_by_kind_and_status_with_the_age_of_the_oldest(app, cast, scrape):
    create_job(cast.alice, created_at=utcnow() - timedelta(minutes=5))
    create_job(cast.alice, "failed")
    create_job(cast.bob, "failed", "todos.other")
    found = scrape()
    assert value(found, "todos_jobs", kind="todos.export", status="queued") == 1
    assert value(found, "todos_jobs", status="failed") == 2
    assert value(found, "todos_jobs_waiting") == 1
    assert 300 <= value(found, "todos_jobs_oldest_waiting_seconds") < 400


def test_workers_are_told_with_their_silence(app, cast, scrape):
    assert value(scrape(), "todos_workers") == 0
    jobs_workers.seen("worker@host", ["jobs"], 2, [])
    found = scrape()
    assert value(found, "todos_workers") == 1
    assert 0 <= value(found, "todos_worker_silent_seconds", worker="worker@host") < 45


def test_silence_of_the_scheduler_is_told_once_it_has_spoken(app, cast, scrape):
    assert "todos_schedule_silent_seconds" not in scrape()
    jobs_slots.start("users.greet", utcnow() - timedelta(minutes=20))
    assert 1200 <= value(scrape(), "todos_schedule_silent_seconds") < 1260


def test_scrape_costs_the_same_with_more_jobs(app, cast):
    counts = []
    for _ in range(2):
        for _ in range(10):
            create_job(cast.alice)
        with count_queries() as statements:
            figures.scrape()
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 5


def test_sign_ins_and_uploads_are_counted(app, cast, viewer, scrape):
    before = scrape()
    users_accounts.authenticate("alice", PASSWORD)
    users_accounts.authenticate("alice", "wrong")
    users_accounts.authenticate("nobody", "wrong")
    attachments.stage(viewer("alice"), io.BytesIO(PNG), "dot.png", "image/png")
    after = scrape()

    def more(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)

    assert (more("todos_logins_total", result="succeeded"), more("todos_logins_total", result="failed")) == (1, 2)
    assert (more("todos_uploads_total"), more("todos_upload_bytes_total")) == (1, len(PNG))


def test_statements_and_connections_are_measured(app, cast, login, scrape):
    before = scrape()
    login("alice").get("/todos").close()
    after = scrape()
    assert value(after, "todos_statement_seconds_count") > value(before, "todos_statement_seconds_count")
    assert value(after, "todos_database_connections_open") >= value(after, "todos_database_connections_used") >= 0


def test_site_without_a_database_still_answers(make_app):
    other = make_app(METRICS_TOKEN=TOKEN, SQLALCHEMY_DATABASE_URI="sqlite:////nowhere/todos.db")
    answer = other.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert value(parsed(answer.text), "todos_database_up") == 0


def asked():
    """Every expression of the dashboard and of the alerts."""
    rules = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())["groups"]
    panels = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())["panels"]
    expressions = [rule["expr"] for group in rules for rule in group["rules"]]
    return expressions + [target["expr"] for panel in panels for target in panel["targets"]]


def test_dashboard_and_alerts_ask_only_for_what_is_told(app, cast, login, scrape):
    login("alice").get("/todos").close()
    users_accounts.authenticate("alice", PASSWORD)
    create_job(cast.alice)
    jobs_workers.seen("worker@host", ["jobs"], 2, [])
    jobs_slots.start("users.greet", utcnow())
    found = scrape()
    labels = {name: set().union(*(has for has, _ in samples)) for name, samples in found.items()}
    for expression in asked():
        names = set(re.findall(r"\b(?:todos|certmanager|node|kube)_[a-z_]+", expression))
        assert names, expression
        assert names - FOREIGN <= set(found), expression
        known = set().union(*(labels.get(name, set()) for name in names))
        used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression))
        for group in re.findall(r"by \(([^)]*)\)", expression):
            used |= {name.strip() for name in group.split(",")}
        assert used <= known, expression


def test_every_metric_is_on_the_dashboard(app, scrape):
    told = {re.sub("|".join(f"{end}$" for end in ENDINGS), "", name) for name in scrape() if "_created" not in name}
    text = " ".join(asked())
    assert {name for name in told if name not in text} == set()


def test_processes_of_gunicorn_are_added_up(new_database, valkey, tmp_path):
    environ = environment(new_database("sqlite"), valkey.url, WEB_CONCURRENCY="3", METRICS_TOKEN=TOKEN)
    site = Site(SERVERS["gunicorn run:app"], environ, tmp_path / "log")
    try:
        site.wait()
        for _ in range(30):
            assert site.ask("/health").status == 200

        def told():
            return parsed(site.ask("/metrics", Authorization=f"Bearer {TOKEN}").text)

        # the one of site.wait() too; a request is counted when its last byte is out
        wait_until(lambda: value(told(), "todos_requests_total", route="/health") == 31, "all are counted")
        for _ in range(5):
            found = told()
            assert value(found, "todos_requests_total", route="/health") == 31
        assert {name for name, samples in found.items() if any("pid" in has for has, _ in samples)} == set()
        assert site.process.terminate() == 0
        assert "gunicorn has stopped" in site.process.output()
    finally:
        site.process.kill()


def test_counts_of_a_server_that_was_killed_go_when_another_starts(new_database, valkey, tmp_path):
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(gettempdir())
    environ = environment(new_database("sqlite"), valkey.url, WEB_CONCURRENCY="1")
    servers = [Site(SERVERS["gunicorn run:app"], environ, tmp_path / "killed")]
    with TemporaryDirectory(prefix="todos-counts-", dir=memory) as held:
        lock = os.open(held, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a running server does
        try:
            pid = servers[0].wait().process.popen.pid
            [left] = memory.glob(f"todos-counts-*/counter_{pid}.db")
            servers[0].process.kill()
            servers.append(Site(SERVERS["gunicorn run:app"], environ, tmp_path / "other"))
            servers[1].wait()
            assert not left.parent.exists()
            assert Path(held).exists()
        finally:
            os.close(lock)
            servers[-1].process.terminate()
            servers[-1].process.kill()
