"""`flask doctor`: what is wrong, and what to do."""

from dataclasses import asdict

import click
from flask.cli import with_appcontext

from app.cli.output import json_option, show_json
from app.security import declared, role_grants, site
from app.services import doctor as examination
from app.services import doctor_web

COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


@click.command("doctor")
@click.option("--url", help="The address that visitors use; asks it too, through all proxies.")
@json_option
@with_appcontext
def doctor(url: str | None, as_json: bool) -> None:
    """Look at settings, database, permissions, Redis, clock, disk, mail, jobs, workers and scheduler; say what to do.

    Exits with 1 if something failed; warnings alone exit with 0. Run it where web or a worker runs.

    \b
    flask doctor --url https://todos.example.org/todo-flask-mvc/
    flask doctor --json | jq '.[] | select(.status != "ok")'
    """
    findings = list(examination.examine(role_grants(declared(site()))))
    if url:
        findings += doctor_web.examine(url)
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(
                f"{click.style(finding.status.ljust(8), COLOURS[finding.status])} {finding.about}: {finding.found}"
            )
            if finding.remedy:
                click.echo(f"{'':8} {finding.remedy}")
    if any(finding.status == "failed" for finding in findings):
        raise SystemExit(1)
