"""The screens of those who look after jobs: all at a glance, and what is done to many."""

import html
import re
from datetime import timedelta

from sqlalchemy import select, update

from app.db import transaction, utcnow
from app.extensions import db
from app.models import Job
from app.models.jobs import JobWorker
from app.services import jobs_report, jobs_slots, jobs_workers
from tests.factories import create_job
from tests.jobs.test_engine import reread


def test_overview_shows_queues_workers_schedule_and_failures(login, cast):
    ended = {"finished_at": utcnow(), "started_at": utcnow()}
    for number in (7, 8):
        create_job(cast.alice, "failed", error=f"Line {number} is <bad>.", **ended)
    create_job(cast.bob, queue="bulk")
    busy = [{"job_id": 5, "name": "todos.export", "since": "2030-01-01T00:00:00+00:00"}]
    jobs_workers.seen("one@host", ["bulk", "interactive"], 2, busy)
    page = login("max").get("/admin/jobs/overview").text
    for text in ("Line … is &lt;bad&gt;.", "one@host", "Export todos #5", "years", "Delete old jobs", "2 failed"):
        assert text in page
    assert "Run now" not in page
    assert "Run now" in login("ada").get("/admin/jobs/overview").text


def test_all_failed_jobs_of_a_kind_are_run_again_with_one_click(login, cast):
    def fail(owner, error, number, name="todos.export"):
        args = {"selection": {"ids": [number]}}
        return create_job(owner, "failed", name, args=args, error=error, finished_at=utcnow()).id

    alike = [fail(owner, f"Line {n} is 100% <bad>_.", n) for n, owner in enumerate((cast.alice, cast.bob, cast.alice))]
    fail(cast.bob, "Line 3 is 100% <bad>, too.", 3)
    fail(cast.bob, "Line 4 is 100% <bad>_.", 4, "todos.import")
    group = {"name": "todos.export", "error": "Line … is …% <bad>_."}
    overview, address = "/admin/jobs/overview", "/admin/jobs/failed/again"
    page = login("max").get(overview).text
    assert "Run 3 again" in page
    listed = login("max").get(html.unescape(re.search(r'/admin/jobs/list/\?_flt_3_name[^"]*', page)[0])).text
    assert "<bad>" not in listed
    assert [f'value="{job_id}"' in listed for job_id in alike] == [True] * 3
    assert repeated(login("alice").send(address, group)) == [alike[0], alike[2]]
    page = login("max").get(overview).text
    assert "Run 3 again" not in page
    assert 'data-confirm="Run 1 failed job again?"' in page
    assert repeated(login("max").send(address, group)) == alike
    assert repeated(login("max").send(address, group)) == alike
    assert repeated(login("max").send(address)) == alike


def test_redis_that_is_away_is_asked_once_for_all_that_is_run_again(login, cast, make_app, caplog):
    failed = [create_job(cast.bob, "failed", args={"selection": {"ids": [number]}}).id for number in range(3)]
    client = login("max", on=make_app(REDIS_URL="unix:///nowhere/valkey.sock"))
    client.send("/admin/jobs/action_post", {"action": "again_chosen", "rowid": failed})
    again = db.session.scalars(select(Job).where(Job.again_of_id.in_(failed))).all()
    assert [(job.status, job.sent_at) for job in again] == [("queued", None)] * 3
    assert caplog.text.count("Redis does not answer") == 1


def test_page_of_a_job_offers_what_makes_sense(login, cast):
    for status, offered in (("running", ["Cancel"]), ("failed", ["Run again"])):
        page = login("max").get(f"/admin/jobs/show/{create_job(cast.alice, status).id}").text
        assert [text for text in ("Cancel", "Run again") if f">{text}</button>" in page] == offered


def repeated(answer):
    """Return which jobs were run again, after an answer that is well."""
    assert answer.status_code == 302
    return sorted(db.session.scalars(select(Job.again_of_id).where(Job.again_of_id.is_not(None))))


def test_empty_overview_says_what_to_do(login, cast):
    page = login("ada").get("/admin/jobs/overview").text
    assert "celery -A run worker" in page
    assert "celery -A run beat" in page
    assert "Nothing failed." in page


def test_overview_says_since_when_no_scheduler_starts_anything(login, cast):
    for minutes, text in ((50, "by the clock for 50 minutes."), (40, None)):
        jobs_slots.start("jobs.purge", utcnow() - timedelta(minutes=minutes))
        page = login("ada").get("/admin/jobs/overview").text
        assert text is None or text in page
        assert ("celery -A run beat" in page) == bool(text)


def test_report_counts_hours_queues_and_errors(cast):
    now = utcnow()
    for hours, status in ((0, "succeeded"), (2, "failed"), (2, "succeeded"), (30, "succeeded")):
        create_job(cast.alice, status, error="No", finished_at=now - timedelta(hours=hours))
    create_job(cast.alice, created_at=now - timedelta(hours=5))
    whole = create_job(cast.alice, "failed", finished_at=now - timedelta(days=2))
    create_job(cast.alice, "succeeded", parent_id=whole.id, part=0, finished_at=now)
    hours = jobs_report.throughput()
    assert [(hour["succeeded"], hour["failed"]) for hour in hours if hour["succeeded"]] == [(1, 1), (1, 0)]
    assert len(hours) == 24
    interactive, bulk = jobs_report.queues()
    assert (interactive["waiting"], interactive["oldest_at"]) == (1, now - timedelta(hours=5))
    assert (bulk["waiting"], bulk["oldest_at"]) == (0, None)
    assert jobs_report.by_status() == {"queued": 1, "running": 0, "succeeded": 3, "failed": 2, "cancelled": 0}


def test_run_now_starts_a_line_once(login, cast):
    client = login("ada")
    for _ in range(2):
        assert client.send("/admin/jobs/run/jobs.purge").status_code == 302
    assert client.send("/admin/jobs/run/unknown").status_code == 404
    assert list(db.session.scalars(select(Job.name))) == ["jobs.purge"]


def test_many_jobs_are_cancelled_and_run_again(login, cast):
    waiting, failed = create_job(cast.alice), create_job(cast.bob, "failed", args={"selection": {"ids": [2]}})
    client = login("max")
    for name in ("again_chosen", "cancel_chosen"):
        chosen = {"action": name, "rowid": [waiting.id, failed.id]}
        assert client.send("/admin/jobs/action_post", chosen).status_code == 302
    assert reread(waiting).status == "cancelled"
    assert db.session.scalar(select(Job.owner_id).where(Job.again_of_id == failed.id)) == cast.bob.id


def test_owner_runs_an_ended_job_again(login, cast):
    job = create_job(cast.alice, "failed")
    answer = login("alice").send(f"/jobs/{job.id}/again")
    new = db.session.scalar(select(Job).where(Job.again_of_id == job.id))
    assert answer.location == f"/jobs/{new.id}"
    assert f"Job #{job.id}" in login("alice").get(f"/jobs/{new.id}").text


def test_page_says_that_no_worker_was_seen(login, cast, monkeypatch):
    now = utcnow()
    monkeypatch.setattr("app.db.clock", lambda: now)
    job = create_job(cast.alice, sent_at=utcnow())
    client = login("alice")
    assert "no worker is alive" in client.get(f"/jobs/{job.id}").text
    jobs_workers.seen("one@host", ["interactive"], 2, [])
    assert "no worker" not in client.get(f"/jobs/{job.id}").text
    for seconds, said in ((119, False), (120, True)):
        with transaction() as session:
            session.execute(update(JobWorker).values(seen_at=utcnow() - timedelta(seconds=seconds)))
        assert ("Waiting: no worker seen for 2 minutes." in client.get(f"/jobs/{job.id}").text) == said
