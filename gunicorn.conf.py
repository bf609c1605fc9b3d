"""gunicorn's settings, found by gunicorn in the folder it is started in."""

import fcntl
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from gunicorn.glogging import Logger

from config import Config, ConfigError

try:
    _config = Config.from_env()
except ConfigError as error:
    sys.exit(str(error))

# where the processes keep their counts, so that whichever answers /metrics can add them up; set before the
# application is loaded, since the client looks for it then
_memory = "/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir()  # noqa: S108


def counts() -> str:
    """Return a new folder, held as long as one of our processes lives; remove those of servers that were killed."""
    for folder in Path(_memory).glob("todos-counts-*"):
        with suppress(OSError):  # held, or somebody else's
            lock = hold(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    hold(found := tempfile.mkdtemp(prefix="todos-counts-", dir=_memory))
    return found


def hold(folder: str | Path) -> int:
    """Lock a folder until this process and all that it forks have ended, or what is returned is closed."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


_counts = os.environ.get("PROMETHEUS_MULTIPROC_DIR") or counts()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _counts

from prometheus_client.multiprocess import mark_process_dead  # noqa: E402

bind = f"{_config.HOST}:{_config.PORT}"
workers = _config.WEB_CONCURRENCY
preload_app = True  # loaded once, shared by all workers: half the time to start, half the memory
worker_class = "gthread"
threads = _config.WEB_THREADS
timeout = 60
graceful_timeout = 25
keepalive = 5
max_requests = 20_000
max_requests_jitter = 2_000
worker_tmp_dir = _memory
control_socket_disable = True  # it wants to write beside the program, which is read-only in the image
forwarder_headers = ""  # no header may change the prefix
loglevel = _config.LOG_LEVEL.lower()
errorlog = "-"
accesslog = "-"


class Log(Logger):
    """gunicorn's, with what the application knows of a request in its one line: see app/measures.py."""

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """Write the line of a request."""
        headers = dict(resp.headers)
        facts = {
            "id": headers.get("X-Request-ID"),
            "method": environ["REQUEST_METHOD"],
            "status": int(str(resp.status).split()[0]),
            "duration_ms": round(request_time.total_seconds() * 1000),
        }
        facts |= environ["todos.cost"].facts() if "todos.cost" in environ else dict.fromkeys(UNKNOWN)
        facts |= {"path": environ.get("RAW_URI", "").split("?")[0], "bytes": resp.sent or resp.response_length or 0}
        facts["address"] = environ.get("REMOTE_ADDR") or None
        shown = {name: "-" if value is None else value for name, value in facts.items()}
        self.access_log.info(ACCESS % shown, extra={"facts": facts})


UNKNOWN = ("route", "user", "statements", "database_ms")  # of requests outside of the prefix
ACCESS = (
    '%(address)s "%(method)s %(path)s" %(status)s %(bytes)s bytes %(duration_ms)s ms route=%(route)s user=%(user)s '
    "statements=%(statements)s database=%(database_ms)s ms id=%(id)s"
)
logger_class = Log


def post_worker_init(worker: Any) -> None:
    """Take SCRIPT_NAME away from gunicorn once the application has read it.

    gunicorn would strip it by itself, answer 500 to every path outside, and take /todolist for /todo.
    """
    os.environ.pop("SCRIPT_NAME", None)


def child_exit(server: Any, worker: Any) -> None:
    """Forget what a worker that ended had open; what it counted stays."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    """Say so: whoever reads the log of a stopped container knows that nobody was cut off."""
    server.log.info("gunicorn has stopped; requests under way were answered or had %s seconds", graceful_timeout)
    shutil.rmtree(_counts, ignore_errors=True)
