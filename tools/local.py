"""Run the whole product on this machine, started and stopped as one: `make run`.

Only the standard library starts the processes: a process manager of its own between them and us would have to be
stopped as well, and would leave them behind when the terminal is closed.
"""

import errno
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import IO, NoReturn
from urllib.parse import urlsplit

from config import ROOT, SOCKET, Config, ConfigError
from tools.valkey import Server

VAR = ROOT / "var"
LOG = VAR / "log" / "todos.log"
LOG_BYTES = 10 << 20
TAIL_LINES = 30
START_SECONDS = 60
STOP_SECONDS = 8  # less than Docker's 10; a job that is cut off is taken up again at the next start
SERVICES = {
    "web server": ("gunicorn", "run:app"),
    "worker": ("celery", "--quiet", "-A", "run", "worker"),
    "scheduler": ("celery", "--quiet", "-A", "run", "beat"),
}
Process = subprocess.Popen[bytes]


class Failure(Exception):
    """It cannot run; the message says why and what to do."""


class Stopped(Exception):
    """Somebody asked us to stop."""


class Patience:
    """Waiting that a signal ends, but only where it is waited: nothing that was started is lost track of."""

    def __init__(self) -> None:
        self._over = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores it
                signal.signal(number, self._end)

    def _end(self, *_: object) -> None:
        self._over = True

    def wait(self, seconds: float = 0.1) -> None:
        """Sleep.

        Raises:
            Stopped: when somebody asked for it.
        """
        if not self._over:
            time.sleep(seconds)
        if self._over:
            raise Stopped


def main() -> int:
    """Run until somebody stops it or something fails; return the exit code."""
    os.environ.setdefault("APP_ENV", "development")
    try:
        run(Config.from_env(), Patience())
    except (ConfigError, Failure) as error:
        print(error, file=sys.stderr)
        return 1
    except Stopped:
        return 0


def run(config: Config, patience: Patience) -> NoReturn:
    """Start everything, say where it is, and watch it; stop everything at the end, whichever it is."""
    check_port(config)
    with alone(), open_log() as log, ExitStack() as stack:
        start = log.tell()
        try:
            serve(config, patience, log, stack)
        except Failure as error:  # here and not further out: stopping the others would fill the log's last lines
            raise Failure(f"{error} The last lines of {LOG.relative_to(ROOT)}:\n\n{tail(start)}") from None


def serve(config: Config, patience: Patience, log: IO[bytes], stack: ExitStack) -> NoReturn:
    """Start the processes in order, announce them, and watch them until one ends; the stack stops them."""
    environment = os.environ | {"REDIS_URL": config.REDIS_URL, "PYTHONUNBUFFERED": "1"}
    processes: dict[str, Process] = {}
    admin: list[str] = []  # shown once and stored nowhere: shown as well when the start fails or is stopped
    stack.callback(lambda: show(admin))
    valkey = Server(SOCKET, VAR / "valkey", log)
    if valkey.url == config.REDIS_URL:
        processes["Valkey server"] = start_valkey(valkey, stack)
    prepare(environment, log, patience, admin)
    services: list[Process] = []
    stack.callback(end, services)
    for name, command in SERVICES.items():
        processes[name] = spawn(command, environment, log)
        services.append(processes[name])
    await_health(config, processes, patience)
    show([f"URL: {url(config)}", *admin, f"Log: {LOG.relative_to(ROOT)}", "Press Ctrl-C to stop."])
    admin.clear()
    while True:
        check(processes)
        patience.wait()


def check_port(config: Config) -> None:
    """Raise Failure if nobody could listen on the port."""
    family = socket.AF_INET6 if config.HOST.startswith("[") else socket.AF_INET
    try:
        socket.create_server((config.HOST.strip("[]"), config.PORT), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            other = f"choose another port: make run PORT={config.PORT + 1}"
            raise Failure(f"Port {config.PORT} is in use. Stop the other program or {other}") from None
        raise Failure(f"HOST={config.HOST} PORT={config.PORT} cannot be used: {error.strerror}.") from None


@contextmanager
def alone() -> Iterator[None]:
    """Hold the folder's lock, since two runs would share a database, a socket and a log."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with (VAR / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure("Todos runs in this folder already. Stop it first, with Ctrl-C in its terminal.") from None
        yield


def open_log() -> IO[bytes]:
    """Open the log for appending; an old one that grew too long is put aside."""
    if LOG.exists() and LOG.stat().st_size > LOG_BYTES:
        LOG.replace(LOG.with_suffix(".log.1"))
    return LOG.open("ab", buffering=0)


def tail(start: int) -> str:
    """Return the last lines that this run wrote."""
    with LOG.open("rb") as log:
        log.seek(start)
        return "\n".join(log.read().decode(errors="replace").splitlines()[-TAIL_LINES:])


def start_valkey(server: Server, stack: ExitStack) -> Process:
    """Start our own Valkey, to be stopped with the stack."""
    try:
        stack.enter_context(server)
    except (OSError, RuntimeError) as error:
        raise Failure(str(error)) from None
    assert server.process
    return server.process


def spawn(command: Sequence[str], environment: Mapping[str, str], log: IO[bytes], stdout: int | None = None) -> Process:
    """Start a Python module in a session of its own, where Ctrl-C does not reach it before we do."""
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log if stdout is None else stdout,
        stderr=log,
        start_new_session=True,
    )


def prepare(environment: Mapping[str, str], log: IO[bytes], patience: Patience, admin: list[str]) -> None:
    """Bring the database up to date in one process; add the first admin's name and password to `admin`."""
    process = spawn(("tools.prepare",), environment, log, subprocess.PIPE)
    try:
        while process.poll() is None:
            patience.wait()
    finally:
        end([process])
        output = process.communicate()[0].decode()
        admin += [line for line in output.splitlines() if line.startswith(("Admin: ", "Password: "))]
    if process.returncode:
        raise Failure("The database could not be prepared.")


def end(processes: Iterable[Process]) -> None:
    """End the processes in good order, then by force, with all that they started."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0, deadline - time.monotonic()))
        with suppress(ProcessLookupError, PermissionError):  # nobody is left, which macOS calls not permitted
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def check(processes: Mapping[str, Process]) -> None:
    """Raise Failure if one of the processes has ended."""
    for name, process in processes.items():
        if process.poll() is not None:
            raise Failure(f"The {name} ended with exit code {process.returncode}.")


def await_health(config: Config, processes: Mapping[str, Process], patience: Patience) -> None:
    """Return when the web server answers."""
    deadline = time.monotonic() + START_SECONDS
    while not is_healthy(config):
        check(processes)
        if time.monotonic() > deadline:
            raise Failure(f"{url(config)}health did not answer with 200 within {START_SECONDS} seconds.")
        patience.wait()


def is_healthy(config: Config) -> bool:
    """Ask the web server itself, past any proxy that the environment names."""
    parts = urlsplit(url(config))
    connection = http.client.HTTPConnection(parts.netloc, timeout=2)
    with suppress(OSError, http.client.HTTPException), closing(connection):
        connection.request("GET", f"{parts.path}health")
        return connection.getresponse().status == 200
    return False


def url(config: Config) -> str:
    """Return the address for people."""
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(config.HOST, config.HOST)
    return f"http://{host}:{config.PORT}{config.SCRIPT_NAME}/"


def show(lines: Iterable[str]) -> None:
    """Print lines at once, if there is still somebody to read them."""
    with suppress(OSError):
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
