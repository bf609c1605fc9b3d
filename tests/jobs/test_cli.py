"""`flask jobs`, as people and scripts use it."""

import json

import pytest

from app.cli.jobs import jobs as command
from app.services import jobs_workers
from app.tasks.schedule import SCHEDULE
from tests.factories import create_job
from tests.jobs.test_engine import reread


@pytest.fixture
def flask(app):
    def run(*words, fails=False):
        done = app.test_cli_runner().invoke(command, words)
        assert (done.exit_code != 0) == fails, done.output
        return done.output

    return run


def test_list_shows_jobs_for_people_and_programs(cast, flask):
    create_job(cast.alice, "failed", error="Something went wrong.", progress_done=1, progress_total=3)
    create_job(None, name="jobs.purge")
    assert "Something went wrong." in flask("list", "--status", "failed")
    [one] = json.loads(flask("list", "--name", "jobs.purge", "--json"))
    assert (one["name"], one["owner"], one["status"]) == ("jobs.purge", None, "queued")
    assert json.loads(flask("list", "--status", "running", "--json")) == []


def test_run_starts_a_line_of_the_schedule_once(cast, flask, queue):
    assert "was started" in flask("run", "jobs.purge")
    assert "runs already" in flask("run", "jobs.purge", fails=True)
    assert "jobs.purge" in flask("run", "unknown", fails=True)
    assert len(queue) == 1


def test_cancel_stops_jobs_and_refuses_unknown_ones(cast, flask):
    jobs = [create_job(cast.alice), create_job(cast.bob, "running")]
    flask("cancel", *(str(job.id) for job in jobs))
    assert reread(jobs[0]).status == "cancelled"
    assert reread(jobs[1]).cancel_requested_at is not None
    assert "There is no job 999999." in flask("cancel", "999999", fails=True)


def test_retry_repeats_ended_jobs_and_refuses_others(cast, flask, queue):
    ended, waiting = create_job(cast.alice, "failed"), create_job(cast.alice, args={"selection": {"ids": [1]}})
    assert f"repeats job {ended.id}" in flask("retry", str(ended.id))
    assert "has not ended" in flask("retry", str(waiting.id), fails=True)
    for word in ("retry", "cancel"):
        assert "is not in the range" in flask(word, "99999999999999999999", fails=True)
    assert len(queue) == 1


def test_sweep_says_how_many_it_sent(cast, flask, queue):
    create_job(cast.alice)
    assert flask("sweep") == "1 message was sent.\n"
    assert json.loads(flask("sweep", "--json")) == {"sent": 0}


def test_workers_fails_when_none_is_alive(app, flask):
    assert "No worker is alive" in flask("workers", fails=True)
    busy = [{"job_id": 7, "name": "todos.export", "since": "2030-01-01T00:00:00+00:00"}]
    jobs_workers.seen("one@host", ["interactive", "bulk"], 2, busy)
    assert "job 7 since" in flask("workers")
    [worker] = json.loads(flask("workers", "--json"))
    assert (worker["alive"], worker["queues"], worker["busy"]) == (True, ["interactive", "bulk"], busy)


@pytest.mark.parametrize("word", ["list", "run", "cancel", "retry", "sweep", "workers"])
def test_help_says_what_a_command_does(flask, word):
    assert len(flask(word, "--help").splitlines()) > 3


def test_help_of_run_names_every_line_of_the_schedule(flask):
    page = "".join(flask("run", "--help").split())
    assert [name for name in SCHEDULE if name not in page] == []
