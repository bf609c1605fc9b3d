"""`flask users`: who may sign in."""

import click
from flask.cli import with_appcontext

from app.cli.output import dry_run_option, json_option, show_json, show_table, tell
from app.services import users_access

COLUMNS = ("username", "name", "email", "roles", "active", "last_login")


@click.group("users")
def users() -> None:
    """List people, and let them sign in or not; `flask fab` creates them and resets passwords."""


@users.command("list")
@click.option("--role", help="Only those with this role.")
@click.option("--inactive", is_flag=True, help="Only those who may not sign in.")
@json_option
@with_appcontext
def list_users(role: str | None, inactive: bool, as_json: bool) -> None:
    """List people with their roles, in order of their usernames.

    \b
    flask users list --role Admin
    flask users list --inactive --json
    """
    found = users_access.overview(role, inactive)
    if as_json:
        show_json(found)
    else:
        show_table(COLUMNS, [[person[column] for column in COLUMNS] for person in found])


@users.command("deactivate")
@click.argument("username")
@dry_run_option
@json_option
@with_appcontext
def deactivate(username: str, dry_run: bool, as_json: bool) -> None:
    """Let somebody no longer sign in, and end their sessions; everything of theirs stays.

    The last active admin is refused. `flask users activate` takes it back.
    """
    set_active(username, False, dry_run, as_json)


@users.command("activate")
@click.argument("username")
@dry_run_option
@json_option
@with_appcontext
def activate(username: str, dry_run: bool, as_json: bool) -> None:
    """Let somebody who was deactivated sign in again."""
    set_active(username, True, dry_run, as_json)


def set_active(username: str, active: bool, dry_run: bool, as_json: bool) -> None:
    """Change it and say what changed."""
    changed = users_access.set_active(username, active, dry_run)
    may = "can sign in" if active else "cannot sign in"
    if not changed:
        sentence = f"{username} {may} already: nothing to do."
    elif dry_run:
        sentence = f"{username} {may} after this; nothing was changed."
    else:
        sentence = f"{username} {may} now." + ("" if active else " All sessions have ended.")
    tell(sentence, {"username": username, "active": active, "changed": changed and not dry_run}, as_json)
