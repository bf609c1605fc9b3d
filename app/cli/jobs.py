"""`flask jobs`: what waits, runs and failed, for those who have a terminal only."""

from typing import Any

import click
from flask.cli import with_appcontext

from app.cli.output import json_option, show_json, show_table, tell
from app.services import jobs_lists, jobs_workers
from app.services.jobs import stop
from app.tasks import runner, schedule, turns

COLUMNS = ("id", "name", "owner", "status", "attempt", "done", "created_at", "error")
STATUSES = click.Choice(["queued", "running", "succeeded", "failed", "cancelled"])
IDS = click.IntRange(1, 2**31 - 1)  # as large as the database's


@click.group("jobs")
def jobs() -> None:
    """List, run, cancel and retry jobs; send waiting ones; show workers."""


@jobs.command("list")
@click.option("--status", type=STATUSES, help="Only those in this state.")
@click.option("--name", help="Only jobs of this name, such as todos.export.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@json_option
@with_appcontext
def list_jobs(status: str | None, name: str | None, limit: int, as_json: bool) -> None:
    """List jobs, newest first.

    \b
    flask jobs list --status failed
    flask jobs list --status queued --json
    """
    found = jobs_lists.overview(status, name, limit)
    if as_json:
        show_json(found)
    else:
        show_table(COLUMNS, [[row[column] for column in COLUMNS] for row in found])


@jobs.command("run", epilog="NAME is one of " + ", ".join(sorted(schedule.SCHEDULE)) + ".")
@click.argument("name", metavar="NAME", type=click.Choice(sorted(schedule.SCHEDULE)))
@json_option
@with_appcontext
def run(name: str, as_json: bool) -> None:
    """Start a line of the schedule now; ends with 1 if it runs already."""
    row = turns.start(name)
    if row is None:
        raise click.ClickException(f"{name} runs already.")
    tell(f"Job {row.id}, {name}, was started.", {"id": row.id, "name": name}, as_json)


@jobs.command("cancel")
@click.argument("ids", nargs=-1, required=True, type=IDS)
@json_option
@with_appcontext
def cancel(ids: tuple[int, ...], as_json: bool) -> None:
    """Stop jobs: waiting ones at once, running ones at their next batch. Works with no worker up."""
    found = jobs_lists.chosen(ids)
    for job in found:
        stop(job)
    tell("\n".join(f"Job {job.id} was asked to stop." for job in found), [{"id": job.id} for job in found], as_json)


@jobs.command("retry")
@click.argument("ids", nargs=-1, required=True, type=IDS)
@json_option
@with_appcontext
def retry(ids: tuple[int, ...], as_json: bool) -> None:
    """Run ended jobs again, as new jobs of the same people."""
    told = [{"id": runner.repeat(job).id, "repeats": job.id} for job in jobs_lists.chosen(ids)]
    tell("\n".join(f"Job {one['id']} repeats job {one['repeats']}." for one in told), told, as_json)


@jobs.command("sweep")
@json_option
@with_appcontext
def sweep(as_json: bool) -> None:
    """Send jobs that were not sent or whose worker died, and end those that cannot go on.

    The scheduler does it every 15 seconds; this is for a Redis that was just repaired.
    """
    sent = runner.sweep()
    if as_json:
        show_json({"sent": sent})
    else:
        click.echo(f"{sent} {'message was' if sent == 1 else 'messages were'} sent.")


@jobs.command("workers")
@json_option
@with_appcontext
def workers(as_json: bool) -> None:
    """Show the workers as they were last seen; ends with 1 if none is alive."""
    found: list[dict[str, Any]] = [
        {
            "name": worker.name,
            "alive": jobs_workers.is_alive(worker),
            "queues": worker.queues.split(),
            "processes": worker.processes,
            "busy": worker.busy if as_json else [f"job {one['job_id']} since {one['since']}" for one in worker.busy],
            "seen_at": worker.seen_at,
        }
        for worker in jobs_workers.all_known()
    ]
    if as_json:
        show_json(found)
    elif found:
        show_table(tuple(found[0]), [list(worker.values()) for worker in found])
    if not any(worker["alive"] for worker in found):
        raise click.ClickException("No worker is alive: jobs wait. Start one with `celery -A run worker`.")
