"""What the image runs, one process a container: `python -m tools.container COMMAND [ARGUMENT ...]`.

    web                  the web server
    worker [OPTION ...]  a worker; options are those of `celery worker`
    beat                 the scheduler: one of it, though two do no harm
    migrate              bring tables, permissions and roles up to date, then end; run it before a new version starts
    flask COMMAND ...    one of the commands of `flask --help`
    trial                everything in this container, to look around: not for production
    health               tell whether the process of this container is well: see tools/health.py

Anything else is run as it stands, such as `sh`.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from psycopg.conninfo import conninfo_to_dict

from config import ROOT, SOCKET, Config, ConfigError
from tools.health import HEARTBEAT, refusal
from tools.health import main as examine

PAUSE_SECONDS = 0.5
REMIND_SECONDS = 15
TRIAL = f"""This is a trial: one container, SQLite on the volume {ROOT}/var, a Valkey that keeps nothing.
For anything that people rely on use compose.yaml or k8s/, which have PostgreSQL and secure cookies."""
TRIAL_SETTINGS = {
    "SQLALCHEMY_DATABASE_URI": f"sqlite:///{ROOT}/var/todos.db",
    "REDIS_URL": f"unix://{SOCKET}",
    "SESSION_COOKIE_SECURE": "0",
}


def main(arguments: list[str]) -> None:
    """Run one command; as the first process of a container it ends on SIGTERM only because we say so."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    command, *rest = arguments or ["--help"]
    if command in ("--help", "-h", "help"):
        print(__doc__)
    elif command in COMMANDS:
        try:
            COMMANDS[command](rest)
        except ConfigError as error:
            sys.exit(str(error))
    else:
        become(command, *rest)


def web(_: list[str]) -> None:
    """Serve pages; tables that are missing or old show in /health/ready."""
    wait_for_database()
    from gunicorn.app.wsgiapp import run

    sys.argv = ["gunicorn", "run:app"]  # in this process: another Python would take a quarter of a second to start
    run()


def worker(options: list[str]) -> None:
    """Run jobs."""
    show_life()
    wait_for_database()
    become("celery", "--quiet", "-A", "run", "worker", *options)


def beat(options: list[str]) -> None:
    """Start what runs by the clock."""
    show_life()
    wait_for_database()
    become("celery", "--quiet", "-A", "run", "beat", *options)


def migrate(_: list[str]) -> None:
    """Bring tables, permissions and roles up to date."""
    wait_for_database()
    from tools.prepare import MIGRATE, SYNC
    from tools.prepare import main as prepare

    prepare(MIGRATE, SYNC)


def flask(arguments: list[str]) -> None:
    """Run a command of ours or of an extension, here rather than by exec: the first process ignores SIGTERM else."""
    from flask.cli import main as run

    sys.argv = ["flask", *arguments]
    run()


def trial(_: list[str]) -> None:
    """Run everything in one container."""
    os.environ |= {"APP_ENV": "production"} | TRIAL_SETTINGS | dict(os.environ)
    print(TRIAL, flush=True)
    from tools.local import main as run

    sys.exit(run())


def health(_: list[str]) -> None:
    """End with 0 if the process of this container is well."""
    examine()


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "web": web,
    "worker": worker,
    "beat": beat,
    "migrate": migrate,
    "flask": flask,
    "trial": trial,
    "health": health,
}


def show_life() -> None:
    """Let the probe know that this container is judged by a file, which the process to come keeps touching."""
    Path(os.environ.setdefault("HEARTBEAT_FILE", HEARTBEAT)).touch()


def wait_for_database() -> None:
    """Return when the database accepts connections; until then say what it waits for, and why."""
    uri = Config.from_env().SQLALCHEMY_DATABASE_URI
    if not uri.startswith("postgresql"):
        return
    known = conninfo_to_dict(uri.replace("+psycopg", "", 1))
    place = f"{known.get('host') or 'localhost'}:{known.get('port') or 5432}"
    said, at = "", 0.0
    while reason := refusal(uri):
        if reason != said or time.monotonic() - at > REMIND_SECONDS:
            said, at = reason, time.monotonic()
            print(f"Waiting for PostgreSQL at {place}: {reason}", file=sys.stderr, flush=True)
        time.sleep(PAUSE_SECONDS)


def become(*command: str) -> NoReturn:
    """Replace this process by the command, which then gets the signals that are meant for the container."""
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        sys.exit(f"{command[0]} is neither a command of this image nor a program in it.\n{__doc__}")


if __name__ == "__main__":
    main(sys.argv[1:])
