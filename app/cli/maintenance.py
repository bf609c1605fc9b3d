"""`flask maintenance`: closing the site for a while."""

import click
from flask.cli import with_appcontext

from app.cli.output import dry_run_option, json_option, show_json, tell
from app.models.maintenance import RETRY_SECONDS
from app.services import jobs_counts
from app.services import maintenance as door


@click.group("maintenance")
def maintenance() -> None:
    """Close the site for a while: everybody gets a page with status 503 and Retry-After, and jobs wait.

    Health checks and metrics go on answering, so that nobody restarts what is closed on purpose.
    """


@maintenance.command("on")
@click.option("--reason", default="", help="A sentence for the page, such as when it is over; at most 200 characters.")
@click.option("--retry", default=RETRY_SECONDS, show_default=True, help="Seconds after which browsers ask again.")
@dry_run_option
@json_option
@with_appcontext
def on(reason: str, retry: int, dry_run: bool, as_json: bool) -> None:
    """Close the site within two seconds. Running jobs finish; no other starts.

    \b
    flask maintenance on --reason "We move to a new server. Back at 18:00 UTC."
    """
    if len(reason) > 200 or not 1 <= retry <= 86_400:
        raise click.UsageError("A reason has at most 200 characters, and --retry is from 1 to 86400.")
    if not dry_run:
        door.on(reason, retry)
    sentence = f"The site {'would be' if dry_run else 'is'} closed. Open it again with: flask maintenance off"
    if running := jobs_counts.running():
        sentence += f"\nJobs that run and will finish: {running}. See: flask maintenance status"
    tell(sentence, {"changed": not dry_run, "jobs_running": running}, as_json)


@maintenance.command("off")
@dry_run_option
@json_option
@with_appcontext
def off(dry_run: bool, as_json: bool) -> None:
    """Open the site again; jobs that waited start within a minute or two."""
    closed = door.sign() is not None if dry_run else door.off()
    done = f"The site {'would be' if dry_run else 'is'} open."
    tell(done if closed else "The site is open already: nothing to do.", {"changed": closed and not dry_run}, as_json)


@maintenance.command("status")
@json_option
@with_appcontext
def status(as_json: bool) -> None:
    """Tell whether the site is closed, since when, and whether jobs still run."""
    found, running = door.sign(), jobs_counts.running()
    if as_json:
        facts = {"since": found and found.since.isoformat(), "reason": found.reason if found else None}
        show_json({"closed": found is not None, "jobs_running": running} | facts)
    elif found:
        click.echo(f"Closed since {found.since:%Y-%m-%d %H:%M:%S} UTC. {found.reason}".rstrip())
        click.echo(f"Jobs that still run: {running}")
    else:
        click.echo("Open.")
