"""Commands for ops, beside those of `flask fab` and `flask db`."""

import secrets

import click
from flask import Flask
from flask.cli import with_appcontext

from app.extensions import db
from app.models import Todo, User
from app.security import declared, role_grants, site
from app.services import permissions, users


@click.command("sync")
@with_appcontext
def sync() -> None:
    """Bring permissions and the built-in roles in line with the code.

    Run it after every `flask db upgrade`. It may run twice, and in several places at once.
    """
    appbuilder = site()
    everything = declared(appbuilder)
    renamed = {
        view.previous_class_permission_name: view.class_permission_name
        for view in appbuilder.baseviews
        if view.previous_class_permission_name not in (None, view.class_permission_name)
    }
    changed = permissions.sync(everything, renamed, role_grants(everything))
    click.echo(f"Roles are in sync: {changed['added']} grants added, {changed['removed']} removed.")


@click.command("first-admin")
@click.option("--username", default="admin", show_default=True)
@click.option("--email", default="admin@example.org", show_default=True)
@with_appcontext
def first_admin(username: str, email: str) -> None:
    """Create an admin with a generated password, which is printed once, unless there are users already."""
    if users.count():
        return
    password = secrets.token_urlsafe(12)
    users.create(["Admin"], password, username=username, email=email, first_name="First", last_name="Admin")
    click.echo(f"Admin: {username}\nPassword: {password}")


def init_app(app: Flask) -> None:
    """Add the commands, and the names of `flask shell`."""
    for command in (sync, first_admin):
        app.cli.add_command(command)
    app.shell_context_processor(lambda: {"app": app, "db": db, "Todo": Todo, "User": User})
