"""Commands for ops, beside those of `flask fab` and `flask db`."""

from flask import Flask

from app.cli.backup import backup
from app.cli.doctor import doctor
from app.cli.jobs import jobs
from app.cli.maintenance import maintenance
from app.cli.settings import settings
from app.cli.setup import fill_demo, first_admin, sync
from app.cli.users import users
from app.extensions import db
from app.models import Todo, User

__all__ = ["fill_demo", "first_admin", "init_app", "sync"]

COMMANDS = (
    sync,
    first_admin,
    fill_demo,
    users,
    settings,
    jobs,
    backup,
    doctor,
    maintenance,
)


def init_app(app: Flask) -> None:
    """Add the commands, and the names of `flask shell`."""
    for command in COMMANDS:
        app.cli.add_command(command)
    app.shell_context_processor(lambda: {"app": app, "db": db, "Todo": Todo, "User": User})
