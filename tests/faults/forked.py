"""Python programs without the seconds that each needs to import other people's packages.

One process has imported those, and nothing of ours, and forks for each program. The program then runs and ends as if
`python -m` had begun it: a session, an environment, a folder and an output of its own, no setting read and nothing
connected yet.
"""

import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

ROOT = Path(__file__).parents[2]

# none of them reads a setting of ours when it is imported, as gunicorn and the Prometheus client do
PRELOADED = [
    "PIL.ImageDraw",
    "alembic.script",
    "apispec.ext.marshmallow",
    "babel.dates",
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.fixups.django",
    "celery.worker.consumer",
    "dotenv",
    "filetype",
    "flask_appbuilder.api.manager",
    "flask_appbuilder.security.sqla.apis",
    "flask_appbuilder.security.sqla.manager",
    "flask_jwt_extended",
    "flask_limiter",
    "flask_migrate",
    "flask_sqlalchemy",
    "flask_wtf",
    "icalendar",
    "kombu.transport.redis",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "valkey",
    "werkzeug.middleware.proxy_fix",
    "xlsxwriter",
    "zxcvbn",
]


class Program:
    """A running program, with the part of `subprocess.Popen` that is needed."""

    def __init__(self, command: list[str], environ: Mapping[str, str], log: Path, cwd: Path) -> None:
        facts = {"command": command, "environ": dict(environ), "log": str(log), "cwd": str(cwd)}
        self.pid: int = _parent().ask(facts)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        if self.returncode is None:
            self.returncode = _parent().ask({"pid": self.pid})
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Return the exit code as soon as it has ended.

        Raises:
            subprocess.TimeoutExpired: when it has not.
        """
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.02)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Parent:
    """The process that forks, as the tests see it; it ends with them."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        self.popen = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = Lock()

    def ask(self, question: dict[str, Any]) -> Any:
        """Send a question and return the answer."""
        assert self.popen.stdin
        assert self.popen.stdout
        with self.lock:
            self.popen.stdin.write(json.dumps(question) + "\n")
            self.popen.stdin.flush()
            return json.loads(self.popen.stdout.readline())


_parent = cache(Parent)


def serve() -> dict[str, Any]:
    """Answer questions; return what to run in each process that is forked for it."""
    for name in PRELOADED:
        import_module(name)
    gc.freeze()  # what the programs share is not to be looked at, and copied, by each
    pids: set[int] = set()
    for line in sys.stdin:
        question = json.loads(line)
        if "pid" in question:
            pid, status = os.waitpid(question["pid"], os.WNOHANG)
            pids.discard(pid)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                return dict(question)
            pids.add(answer)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in pids:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    sys.exit()


def become(command: list[str], environ: dict[str, str], log: str, cwd: str) -> None:
    """Be the program from here on."""
    os.setsid()
    with Path(log).open("ab") as output, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    sys.path[0] = cwd
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    become(**serve())
