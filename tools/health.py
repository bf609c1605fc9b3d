"""Whether the process of this container is well: `python -m tools.health`, for HEALTHCHECK and liveness probes.

A web server is asked for /health. A worker or scheduler touches a file from its own loop; when that file is old the
process hangs, unless Redis or PostgreSQL cannot be used: then it may well wait for them, and to start it again
would mend nothing. It is asked every few seconds, so it imports little unless something is wrong.
"""

import http.client
import os
import sys
import time
from pathlib import Path

HEARTBEAT = "/tmp/todos-heartbeat"
STALE_SECONDS = 60  # a worker touches the file every 10 seconds, a scheduler at least every 15
ANSWER_SECONDS = 3
WEB_SECONDS = 10  # a web server with all threads busy is well


def main() -> None:
    """End with 0 while all is well, else with a sentence."""
    file = Path(os.environ.get("HEARTBEAT_FILE") or HEARTBEAT)
    if file.exists():
        judge(age(file))
    else:
        ask(int(os.environ.get("PORT") or "5000"))


def age(file: Path) -> float:
    """Return how many seconds ago the file was touched."""
    return time.time() - file.stat().st_mtime


def judge(seconds: float) -> None:
    """Judge a worker or scheduler by its last sign of life."""
    if seconds < STALE_SECONDS:
        return
    sign = f"The last sign of life is {seconds:.0f} seconds old"
    if reason := waits_for():
        print(f"{sign}, but {reason} cannot be used: to start again would not help.")
    else:
        sys.exit(f"{sign}: the process hangs.")


def waits_for() -> str:
    """Name what a worker or scheduler needs and cannot use."""
    import redis

    from config import Config

    config = Config.from_env()
    if config.SQLALCHEMY_DATABASE_URI.startswith("postgresql") and refusal(config.SQLALCHEMY_DATABASE_URI):
        return "PostgreSQL"
    limits = {"socket_connect_timeout": ANSWER_SECONDS, "socket_timeout": ANSWER_SECONDS}
    try:
        with redis.Redis.from_url(config.REDIS_URL, **limits) as server:
            server.set(
                "todos:health", 1, ex=60
            )  # one that is full or a replica answers a ping, and workers cannot work
    except redis.RedisError:
        return "Redis"
    return ""


def refusal(uri: str) -> str:
    """Return why PostgreSQL does not let us in, in one line, or nothing."""
    import psycopg

    try:
        psycopg.connect(uri.replace("+psycopg", "", 1), connect_timeout=ANSWER_SECONDS).close()
    except psycopg.OperationalError as error:
        return " ".join(str(error).split())
    return ""


def ask(port: int) -> None:
    """Ask the web server of this container."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WEB_SECONDS)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"The web server does not answer: {error}")
    if status != 200:
        sys.exit(f"The web server answered with {status}.")


if __name__ == "__main__":
    main()
