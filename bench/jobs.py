"""What a small job costs, one that adds a todo: `python -m bench.jobs [--jobs N]`.

It prints for SQLite and for PostgreSQL how many jobs a second are submitted while no worker runs, how many a second
one worker with two processes then does, and the time of the processors that one job takes of each: the database's own
is not counted. On a machine that does something else as well only the latter can be compared.
"""

import argparse
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
from sqlalchemy import func, select

from app.extensions import db
from app.models import Job
from app.services.permissions import load_user
from app.tasks.runner import submit
from bench.soak import faults
from bench.soak.jobs import add_row
from bench.soak.site import COMMANDS, READY, Program
from tests.factories import create_user
from tests.faults.processes import environment


def used(process: psutil.Process) -> float:
    """Return the seconds of processor time that a process has taken."""
    return sum(process.cpu_times()[:2])


def left() -> int:
    """Return how many jobs have not ended."""
    db.session.rollback()
    return db.session.scalar(select(func.count()).where(Job.status.in_(("queued", "running")))) or 0


def measured(kind: str, folder: Path, jobs: int) -> list[float]:
    """Return the figures of a database, as the columns of the table."""
    with ExitStack() as stack:
        app, database, broker = stack.enter_context(faults.installed(kind, folder, MAX_ACTIVE_JOBS="10000"))
        with app.app_context():
            viewer = load_user(create_user("alice").id)
            assert viewer
            submit(viewer, add_row, title="Small")  # whatever is done once
            began, spent = time.monotonic(), time.process_time()
            for number in range(jobs):
                submit(viewer, add_row, title=f"Small {number}")
            submitting, spent = time.monotonic() - began, time.process_time() - spent
            worker = Program(COMMANDS["one"], environment(database.uri, broker.url), folder / "one.log", "one")
            stack.callback(worker.kill)
            worker.wait_for(READY["one"])
            parent = psutil.Process(worker.popen.pid)
            children = parent.children()
            began, many = time.monotonic(), left()
            before = used(parent), sum(map(used, children))
            while left():
                time.sleep(0.1)
            running = time.monotonic() - began
            after = used(parent), sum(map(used, children))
    times = [1000 * spent / jobs, *(1000 * (new - old) / many for old, new in zip(before, after, strict=True))]
    return [jobs / submitting, many / running, *times]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    given = parser.parse_args()
    print("| | submitted a second | run a second | ms to submit | ms of the worker | ms of its processes |")
    print("|---|---|---|---|---|---|")
    for kind in ("sqlite", "postgresql"):
        folder = Path(tempfile.mkdtemp(prefix="todos-bench-"))
        found = measured(kind, folder, given.jobs)
        shutil.rmtree(folder, ignore_errors=True)
        print(
            f"| {kind} | {found[0]:.0f} | {found[1]:.0f} | " + " | ".join(f"{one:.1f}" for one in found[2:]) + " |",
            flush=True,
        )


if __name__ == "__main__":
    main()
