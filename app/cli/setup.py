"""Commands that make a new or upgraded site ready: roles, a first admin, invented people."""

import secrets
from contextlib import nullcontext

import click
from flask import current_app
from flask.cli import with_appcontext

from app.cli.output import dry_run_option, json_option, progress, show_json, tell
from app.db import held
from app.errors import AppError
from app.extensions import db
from app.security import declared, role_grants, site
from app.services import demo, permissions, users, users_access, users_accounts

NAMES = {"first_name": "First", "last_name": "Admin"}


@click.command("sync")
@dry_run_option
@json_option
@with_appcontext
def sync(dry_run: bool, as_json: bool) -> None:
    """Bring permissions and the built-in roles in line with the code.

    Run it after every `flask db upgrade`. It may run twice, and in several places at once. Roles that people made keep
    what they have, but for rights that no longer exist.

    \b
    flask sync --dry-run
    """
    appbuilder = site()
    everything = declared(appbuilder)
    renamed = {
        view.previous_class_permission_name: view.class_permission_name
        for view in appbuilder.baseviews
        if view.previous_class_permission_name not in (None, view.class_permission_name)
    }
    with held() if dry_run else nullcontext():
        changed = permissions.sync(everything, renamed, role_grants(everything))
        if dry_run:
            db.session.rollback()
    if as_json:
        show_json(changed)
    else:
        said = "Roles would be brought in sync" if dry_run else "Roles are in sync"
        click.echo(f"{said}: {changed['added']} grants added, {changed['removed']} removed.")


@click.command("first-admin")
@click.option("--username", default="admin", show_default=True, help="Signs in with it.")
@click.option("--email", default="admin@example.org", show_default=True, help="Gets the mails.")
@json_option
@with_appcontext
def first_admin(username: str, email: str, as_json: bool) -> None:
    """Create an admin with a generated password, which is printed once, unless there are users already."""
    if users_access.count():
        tell("There are people already, so no admin was made. See: flask users list", {"created": False}, as_json)
        return
    users.check_facts(username=username, email=email, **NAMES)
    password = secrets.token_urlsafe(12)
    users_accounts.create(["Admin"], password, username=username, email=email, **NAMES)
    facts = {"created": True, "username": username, "password": password}
    tell(f"Admin: {username}\nPassword: {password}", facts, as_json)


@click.command("demo")
@click.option("--password", help="Of all the people; generated and printed once if not given.")
@click.option("--yes", is_flag=True, help="Also in production.")
@json_option
@with_appcontext
def fill_demo(password: str | None, yes: bool, as_json: bool) -> None:
    """Add invented people, todos and files to look around in."""
    if current_app.config["APP_ENV"] == "production" and not yes:
        raise click.ClickException("This is production. Add --yes to fill it with invented people all the same.")
    chosen = password or secrets.token_urlsafe(12)
    try:
        demo.check()
        with progress("Drawing files", demo.FILES) as bar:
            username = demo.fill(chosen, bar.update)
    except AppError as error:
        raise click.ClickException(error.message) from error
    sentence = f"Added 50 people, {demo.TODOS:,} todos and {demo.FILES} files. One of the people: {username}"
    sentence += "" if password else f"\nPassword of all of them: {chosen}"
    tell(sentence, {"username": username, "password": chosen, "todos": demo.TODOS, "files": demo.FILES}, as_json)
