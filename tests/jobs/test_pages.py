"""The pages about jobs: own ones for everybody, all of them for managers."""

from datetime import timedelta

import pytest

from app.db import utcnow
from tests.conftest import count_queries
from tests.factories import create_attachment, create_job


@pytest.mark.parametrize("path", ["/jobs/{}", "/jobs/{}/state", "/admin/jobs/show/{}"])
@pytest.mark.parametrize("name", ["bob", "vera"])
def test_stranger_gets_404(login, cast, name, path):
    job = create_job(cast.alice, "failed", error="The secret of Alice")
    answer = login(name).get(path.format(job.id))
    assert answer.status_code == 404
    assert "The secret of Alice" not in answer.text


@pytest.mark.parametrize("path", ["/jobs/{}", "/jobs/{}/state", "/admin/jobs/show/{}"])
@pytest.mark.parametrize("name", ["alice", "max", "ada"])
def test_owner_and_managers_see_the_job(login, cast, name, path):
    job = create_job(cast.alice, "failed", error="The secret of Alice")
    answer = login(name).get(path.format(job.id))
    assert answer.status_code == 200
    assert answer.is_json or "The secret of Alice" in answer.text


@pytest.mark.parametrize("path", ["/jobs/999999", "/jobs/999999/state", "/jobs/0", "/jobs/abc"])
def test_job_that_does_not_exist_is_404(login, path):
    assert login("ada").get(path).status_code == 404


def test_job_number_that_no_database_holds_is_404(login):
    assert login("ada").get(f"/jobs/{10**20}").status_code == 404


@pytest.mark.parametrize("before", [10**20, 2**31, -1, "abc", ""])
def test_damaged_page_address_is_no_failure(login, before):
    assert login("alice").get(f"/jobs?before={before}").status_code in (200, 400)


def test_visitor_without_session_is_sent_to_the_login_page(app, cast):
    job = create_job(cast.alice)
    client = app.test_client()
    assert client.get(f"/jobs/{job.id}").location.startswith("/login")
    assert client.get(f"/jobs/{job.id}/state", headers={"Accept": "application/json"}).status_code == 401


@pytest.mark.parametrize(("name", "query"), [("alice", ""), ("alice", "?scope=all"), ("vera", "?scope=all")])
def test_list_shows_own_jobs_only(login, cast, name, query):
    mine = create_job(getattr(cast, name))
    theirs = create_job(cast.bob)
    page = login(name).get(f"/jobs{query}").text
    assert f"/jobs/{mine.id}" in page
    assert f"/jobs/{theirs.id}" not in page
    assert "Everybody’s jobs" not in page


def test_manager_sees_everybodys_jobs_on_request(login, cast):
    theirs = create_job(cast.alice)
    systems = create_job(None, name="attachments.thumbnail")
    client = login("max")
    assert f"/jobs/{theirs.id}" not in client.get("/jobs").text
    page = client.get("/jobs?scope=all").text
    assert f"/jobs/{theirs.id}" in page
    assert f"/jobs/{systems.id}" in page
    assert "Alice Member" in page
    assert "The system" in page


def test_generated_list_obeys_the_same_rule(login, cast):
    create_job(cast.alice, "failed", name="job.of.alice")
    create_job(cast.bob, "failed", name="job.of.bob")
    page = login("alice").get("/admin/jobs/list/").text
    assert "job.of.alice" in page
    assert "job.of.bob" not in page
    assert "job.of.bob" in login("max").get("/admin/jobs/list/").text


def test_pages_follow_each_other_without_gap_or_repetition(login, cast):
    ids = [create_job(cast.alice, "succeeded").id for _ in range(30)]
    client = login("alice")
    first = client.get("/jobs").text
    second = client.get(f"/jobs?before={ids[5]}").text
    assert f"before={ids[5]}" in first
    assert "Next page" not in second
    for job_id in ids:
        assert (f'/jobs/{job_id}"' in first) != (f'/jobs/{job_id}"' in second)


def test_list_costs_the_same_with_one_job_and_with_many(login, cast):
    client = login("max")
    create_job(cast.alice)
    client.get("/jobs?scope=all")
    with count_queries() as few:
        client.get("/jobs?scope=all")
    for owner in (cast.alice, cast.bob, cast.charlie, None) * 3:
        create_job(owner, "succeeded")
    with count_queries() as many:
        client.get("/jobs?scope=all")
    assert len(many) == len(few)


def test_empty_list_explains_itself(login):
    assert "No jobs yet" in login("alice").get("/jobs").text


def test_state_tells_how_far_the_job_is(login, cast):
    job = create_job(cast.alice, "running", progress_done=3, progress_total=10)
    client = login("alice")
    facts = {"status": "running", "final": False, "sent": False, "done": 3, "total": 10}
    assert client.get(f"/jobs/{job.id}/state").json == facts
    ended = create_job(cast.alice, "succeeded", sent_at=utcnow())
    facts = {"status": "succeeded", "final": True, "sent": True, "done": 0, "total": None}
    assert client.get(f"/jobs/{ended.id}/state").json == facts


def test_page_of_a_job_that_was_not_sent_says_what_happens(login, cast):
    waiting = create_job(cast.alice)
    sent = create_job(cast.alice, sent_at=utcnow())
    client = login("alice")
    assert "The queue cannot be reached" in client.get(f"/jobs/{waiting.id}").text
    assert "The queue cannot be reached" not in client.get(f"/jobs/{sent.id}").text


def test_page_of_a_running_job_shows_progress_and_a_way_to_stop(login, cast):
    job = create_job(cast.alice, "running", progress_done=3, progress_total=10, attempt=2)
    page = login("alice").get(f"/jobs/{job.id}").text
    assert "3 of 10" in page
    assert f'data-job="/jobs/{job.id}/state"' in page
    assert f'action="/jobs/{job.id}/cancel"' in page
    assert "(attempt 2)" in page


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_page_of_an_ended_job_polls_no_more(login, cast, status):
    job = create_job(cast.alice, status, finished_at=utcnow() - timedelta(hours=1))
    page = login("alice").get(f"/jobs/{job.id}").text
    assert "data-job=" not in page
    assert "/cancel" not in page


def test_error_is_shown_as_text(login, cast):
    job = create_job(cast.alice, "failed", error="<script>alert(1)</script>")
    client = login("alice")
    for path in (f"/jobs/{job.id}", "/jobs", f"/admin/jobs/show/{job.id}"):
        page = client.get(path).text
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_result_is_offered_to_the_owner_only(login, cast):
    job = create_job(cast.alice, "succeeded", result={"todos": 1})
    file = create_attachment(None, b"id,title\r\n", "todos.csv", "text/csv", job_id=job.id)
    assert f"/files/{file.id}" in login("alice").get(f"/jobs/{job.id}").text
    assert "1 todo<" in login("alice").get(f"/jobs/{job.id}").text
    assert f"/files/{file.id}" not in login("max").get(f"/jobs/{job.id}").text
    assert f"/files/{file.id}" not in login("max").get("/jobs?scope=all").text
    assert login("alice").get(f"/files/{file.id}").data == b"id,title\r\n"
    for name in ("bob", "max", "ada"):
        assert login(name).get(f"/files/{file.id}").status_code == 404


def test_job_of_a_kind_that_is_gone_is_still_shown(login, cast):
    job = create_job(cast.alice, "succeeded", name="removed.in_this_version")
    assert "removed.in_this_version" in login("alice").get(f"/jobs/{job.id}").text


def test_cancel_of_what_has_ended_is_told(login, cast):
    client = login("alice")
    for status, said in (("queued", "The job was asked to stop."), ("succeeded", "The job had ended already.")):
        job = create_job(cast.alice, status)
        client.send(f"/jobs/{job.id}/cancel")
        assert said in client.get(f"/jobs/{job.id}").text
    both = [create_job(cast.alice, status).id for status in ("queued", "failed")]
    manager = login("max")
    manager.send("/admin/jobs/action_post", {"action": "cancel_chosen", "rowid": both})
    assert "The jobs were asked to stop. 1 of them had ended already." in manager.get("/admin/jobs/list/").text


@pytest.mark.parametrize(
    ("name", "status", "is_offered"),
    [
        ("todos.delete", "succeeded", False),
        ("todos.undo", "succeeded", False),
        ("todos.delete", "failed", True),
        ("todos.export", "succeeded", True),
        ("todos.export", "running", False),
    ],
)
def test_change_that_was_done_is_not_offered_again_without_a_question(login, cast, name, status, is_offered):
    job = create_job(cast.alice, status, name=name, args={"selection": {"ids": []}})
    assert (">Run again<" in login("alice").get(f"/jobs/{job.id}").text.replace("</svg>", ">")) == is_offered


def test_page_of_an_export_names_its_format(login, cast):
    args = {"selection": {"ids": []}, "kind": "jsonl", "with_files": True}
    job = create_job(cast.alice, "succeeded", name="todos.export", args=args)
    assert "JSON Lines, with attachments" in login("alice").get(f"/jobs/{job.id}").text
