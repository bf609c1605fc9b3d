"""Bring the database up to date in one process, as `flask` commands would: `python -m tools.prepare`."""

from flask.cli import ScriptInfo

from run import app

MIGRATE, SYNC, FIRST_ADMIN = ["db", "upgrade"], ["sync"], ["first-admin"]


def main(*commands: list[str]) -> None:
    """Run `flask` commands one after another."""
    for command in commands:
        app.cli.main(command, obj=ScriptInfo(create_app=lambda: app), standalone_mode=False)


if __name__ == "__main__":
    main(MIGRATE, SYNC, FIRST_ADMIN)
