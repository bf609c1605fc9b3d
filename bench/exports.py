"""What an export of many todos costs, in each format: `python -m bench.exports [--rows N]`.

It prints seconds of processor time, the size of the file, and by how much the worker's memory grew at most, on SQLite
and, where TEST_DATABASE_URL names one, on an empty PostgreSQL database. A quarter of the todos has a file of 4 KiB.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

from app import create_app
from app.extensions import db
from app.models import Attachment, AttachmentChunk, Job, User
from app.services.permissions import load_user
from app.services.todos_selection import Selection
from app.tasks.runner import execute, submit
from app.tasks.todos import export_todos
from bench.search import fill
from tests.conftest import db_dispose, migrate, settings
from tests.factories import create_user

WAYS = {
    # what is measured -> arguments of the job
    "CSV": {"kind": "csv"},
    "JSON Lines": {"kind": "jsonl"},
    "iCalendar": {"kind": "ics"},
    "Excel": {"kind": "xlsx"},
    "CSV with all attachments": {"kind": "csv", "with_files": True},
}
FILE_BYTES = 4096
MEGABYTE = 1 << 20


def prepare(uri: str, rows: int) -> None:
    """Fill a database with todos, tags and files."""
    app = create_app(settings(uri))
    migrate(app)
    with app.app_context():
        owner, others = create_user("owner"), create_user("ada", "Admin")
        fill(rows, owner.id, others.id)
        ids = list(db.session.scalars(select(Attachment.id)))
        chunk = {"variant": 0, "position": 0, "data": os.urandom(FILE_BYTES)}
        for start in range(0, len(ids), 1000):
            db.session.execute(
                insert(AttachmentChunk), [chunk | {"attachment_id": pk} for pk in ids[start : start + 1000]]
            )
        db.session.execute(update(Attachment).values(size=FILE_BYTES))
        db.session.commit()
    db_dispose(app)


def export(uri: str, args: dict[str, Any], answer: Any) -> None:
    """Export everything, as a worker would in a process of its own, after one todo that is not counted."""
    app = create_app(settings(uri))
    with app.app_context():
        ada = load_user(db.session.scalar(select(User.id).where(User.username == "ada")))
        execute(submit(ada, export_todos, selection={"ids": [1]}, **args).id)
        Path("/proc/self/clear_refs").write_text("5")  # forgets the most memory so far, see proc(5)
        before, begun = memory(), time.process_time()
        job = submit(ada, export_todos, selection=Selection().facts(), **args)
        execute(job.id)
        seconds = time.process_time() - begun
        ended = db.session.get(Job, job.id, populate_existing=True)
        if ended is None or ended.status != "succeeded":
            raise RuntimeError(ended and ended.error)
        answer.put((ended.result["todos"], seconds, ended.attachments[0].size, memory() - before))


def memory() -> int:
    """Return the most memory that this process had since it was told to forget, in bytes; Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Measure and print a table for each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    given = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for uri in filter(None, (f"sqlite:///{folder}/exports.db", os.environ.get("TEST_DATABASE_URL"))):
            prepare(uri, given.rows)
            print(f"\n{uri.split(':')[0]}, {given.rows:,} todos\n")
            print("| export | todos | seconds | MB | memory, MB |\n|---|---|---|---|---|")
            for name, args in WAYS.items():
                answer = spawn.Queue()
                process = spawn.Process(target=export, args=(uri, args, answer))
                process.start()
                count, seconds, size, grown = answer.get(timeout=3600)
                process.join()
                print(
                    f"| {name} | {count:,} | {seconds:.0f} | {size / MEGABYTE:.0f} | {grown / MEGABYTE:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
