"""Real processes of ours: a Celery worker, beat, gunicorn."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis import Redis

from config import ROOT
from tests.faults.forked import Program
from tools.valkey import Server

PATIENCE = 30  # seconds after which a process that does not do what is waited for has failed


def environment(uri: str, redis_url: str, **more: str) -> dict[str, str]:
    """Return what a process of ours needs, and nothing of the machine's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    ours = {"APP_ENV": "production", "SECRET_KEY": "k" * 40, "SESSION_COOKIE_SECURE": "0", "PYTHONUNBUFFERED": "1"}
    return kept | ours | {"SQLALCHEMY_DATABASE_URI": uri, "REDIS_URL": redis_url} | more


def wait_until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Return what the condition returns as soon as it holds.

    Raises:
        AssertionError: saying what did not happen.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"did not happen: {what}")


def heal(broker: Server) -> None:
    """Let Redis be as it was."""
    broker.start()
    broker.resume()
    with Redis.from_url(broker.url) as redis:
        redis.replicaof("NO", "ONE")
        redis.config_set("maxmemory", 0)


class Process:
    """A Python program that runs on its own, its output in a file."""

    def __init__(self, command: list[str], environ: Mapping[str, str], log: Path, cwd: Path = ROOT) -> None:
        self.log = log
        log.write_bytes(b"")
        self.popen = Program(command, environ, log, cwd)

    def output(self) -> str:
        """Return everything it has written."""
        return self.log.read_text(errors="replace")

    def is_running(self) -> bool:
        """Tell whether it has not ended."""
        return self.popen.poll() is None

    def wait_for(self, text: str) -> None:
        """Return when it has written the text."""
        wait_until(lambda: text in self.output() or not self.is_running(), f"{text!r} in the log\n{self.output()}")
        assert text in self.output(), self.output()

    def ended(self) -> int:
        """Return its exit code when it has done what it was begun for."""
        return self.popen.wait(4 * PATIENCE)

    def terminate(self) -> int:
        """Ask it to end, as an orchestrator does, and return its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(PATIENCE)

    def kill(self) -> None:
        """End it and everything it started at once."""
        self.popen.send_signal(signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(PATIENCE)
