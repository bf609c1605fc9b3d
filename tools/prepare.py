"""Bring the database up to date in one process, as three `flask` commands would: `python -m tools.prepare`."""

from flask.cli import ScriptInfo

from run import app

COMMANDS = (["db", "upgrade"], ["sync"], ["first-admin"])


def main() -> None:
    """Migrate, bring roles in line with the code, and create the first admin."""
    for command in COMMANDS:
        app.cli.main(command, obj=ScriptInfo(create_app=lambda: app), standalone_mode=False)


if __name__ == "__main__":
    main()
