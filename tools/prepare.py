"""Bring the database up to date in one process, as `flask` commands would: `python -m tools.prepare`."""

import sys

from click import ClickException
from flask.cli import ScriptInfo
from sqlalchemy.exc import DBAPIError

from app.cli import explain
from run import app

MIGRATE, SYNC, FIRST_ADMIN = ["db", "upgrade"], ["sync"], ["first-admin"]


def main(*commands: list[str]) -> None:
    """Run `flask` commands one after another; one that fails says why and ends the process."""
    for command in commands:
        try:
            app.cli.main(command, obj=ScriptInfo(create_app=lambda: app), standalone_mode=False)
        except ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except DBAPIError as error:
            explain(type(error), error, error.__traceback__)
            sys.exit(1)


if __name__ == "__main__":
    main(MIGRATE, SYNC, FIRST_ADMIN)
