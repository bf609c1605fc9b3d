"""Commands for ops, beside those of `flask fab` and `flask db`."""

import logging
import sys
from pathlib import Path
from types import TracebackType

import click
from flask import Flask
from sqlalchemy.exc import DBAPIError

from app.cli.backup import backup
from app.cli.doctor import doctor
from app.cli.jobs import jobs
from app.cli.maintenance import maintenance
from app.cli.settings import settings
from app.cli.setup import fill_demo, first_admin, sync
from app.cli.users import users
from app.extensions import db
from app.models import Todo, User

__all__ = ["explain", "fill_demo", "first_admin", "init_app", "sync"]

log = logging.getLogger(__name__)

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
    if "flask" in Path(sys.argv[0]).parts[-2:]:
        sys.excepthook = explain  # the commands of `flask db` and `flask fab` are out of reach otherwise
    app.shell_context_processor(lambda: {"app": app, "db": db, "Todo": Todo, "User": User})


def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say in one sentence that the database cannot be used; LOG_LEVEL=DEBUG shows where, as for any other error."""
    if isinstance(error, DBAPIError):
        reason = " ".join(str(error.orig).split())
        log.debug("the database cannot be used", exc_info=(kind, error, trace))
        click.echo(f"Error: The database cannot be used: {reason}\nRun flask doctor, which says what to do.", err=True)
    else:
        sys.__excepthook__(kind, error, trace)
