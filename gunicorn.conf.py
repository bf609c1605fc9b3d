"""gunicorn's settings, found by gunicorn in the folder it is started in."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from config import Config, ConfigError

try:
    _config = Config.from_env()
except ConfigError as error:
    sys.exit(str(error))

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
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True  # it wants to write beside the program, which is read-only in the image
forwarder_headers = ""  # no header may change the prefix
loglevel = _config.LOG_LEVEL.lower()
errorlog = "-"
accesslog = "-"
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(b)s bytes %(M)s ms id=%({x-request-id}o)s'


def post_worker_init(worker: Any) -> None:
    """Take SCRIPT_NAME away from gunicorn once the application has read it.

    gunicorn would strip it by itself, answer 500 to every path outside, and take /todolist for /todo.
    """
    os.environ.pop("SCRIPT_NAME", None)
