"""What the image runs, one process a container: `python -m tools.container COMMAND [ARGUMENT ...]`.

    web                  the web server
    worker [OPTION ...]  a worker; options are those of `celery worker`
    beat                 the scheduler: one of it, though two do no harm
    migrate              bring tables, permissions and roles up to date, then end; run it before a new version starts
    flask COMMAND ...    one of the commands of `flask --help`
    trial                everything in this container, to look around: not for production
    health               ask the web server of this container whether it answers

Anything else is run as it stands, such as `sh`.
"""

import http.client
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn

import psycopg
from sqlalchemy import make_url

from config import ROOT, SOCKET, Config, ConfigError

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
    become("gunicorn", "run:app")


def worker(options: list[str]) -> None:
    """Run jobs."""
    wait_for_database()
    become("celery", "--quiet", "-A", "run", "worker", *options)


def beat(options: list[str]) -> None:
    """Start what runs by the clock."""
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
    """End with 0 if the web server of this container answers."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "5000")), timeout=4)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except OSError as error:
        sys.exit(f"The web server does not answer: {error}")
    sys.exit(None if status == 200 else f"The web server answered with {status}.")


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "web": web,
    "worker": worker,
    "beat": beat,
    "migrate": migrate,
    "flask": flask,
    "trial": trial,
    "health": health,
}


def wait_for_database() -> None:
    """Return when the database accepts connections; until then say what it waits for, and why."""
    uri = Config.from_env().SQLALCHEMY_DATABASE_URI
    url = make_url(uri)
    if url.get_backend_name() != "postgresql":
        return
    place = f"{url.host or 'localhost'}:{url.port or 5432}"
    said, at = "", 0.0
    while reason := refusal(uri):
        if reason != said or time.monotonic() - at > REMIND_SECONDS:
            said, at = reason, time.monotonic()
            print(f"Waiting for PostgreSQL at {place}: {reason}", file=sys.stderr, flush=True)
        time.sleep(PAUSE_SECONDS)


def refusal(uri: str) -> str:
    """Return why PostgreSQL does not let us in, in one line, or nothing."""
    try:
        psycopg.connect(uri.replace("+psycopg", "", 1), connect_timeout=3).close()
    except psycopg.OperationalError as error:
        return " ".join(str(error).split())
    return ""


def become(*command: str) -> NoReturn:
    """Replace this process by the command, which then gets the signals that are meant for the container."""
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        sys.exit(f"{command[0]} is neither a command of this image nor a program in it.\n{__doc__}")


if __name__ == "__main__":
    main(sys.argv[1:])
