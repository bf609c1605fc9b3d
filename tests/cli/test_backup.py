"""`flask backup`: every row and byte out of one database and into the other, or nothing at all."""

import gzip
import hashlib
import io
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text

from app import create_app
from app.db import utcnow
from app.extensions import db
from app.models import Attachment, AttachmentChunk, CalendarFeed, EndedSession, IdempotencyKey, Job, Todo, User
from app.services import backups
from config import ROOT
from tests.cli.conftest import run_on
from tests.conftest import DATABASES, db_dispose, migrate, settings
from tests.factories import create_job, create_todo, create_user
from tests.faults.processes import environment

CHUNK = 256 * 1024


@pytest.fixture
def site_of(new_database):
    """Returns a function that makes a site over a new, migrated database of a kind."""
    made = []

    def make(kind):
        made.append(create_app(settings(new_database(kind))))
        with made[-1].app_context():
            migrate(made[-1])
        return made[-1]

    yield make
    for app in made:
        db_dispose(app)


def fill(seed=7):
    """Rows of many kinds, among them a file of several chunks."""
    alice, bob = create_user("alice", "Admin"), create_user("bob")
    todo = create_todo(alice, "Ünïcödé — 'quoted' \\ 📎", notes="two\nlines", assignees=[bob], due_on=utcnow().date())
    create_todo(bob, "Done", complete=True)
    create_job(alice, "succeeded", result={"todos": 2, "names": ["é", None]}, finished_at=utcnow())
    create_job(bob, "failed", error="It broke.")
    # a program that asks again after the move must not be served twice, and calendars stay subscribed
    answer = {"fingerprint": "0" * 64, "status": 201, "headers": {"ETag": '"1"'}, "body": '{"id": 1}'}
    db.session.add_all([IdempotencyKey(user_id=bob.id, key="plants", **answer), CalendarFeed(user_id=bob.id)])
    data = random.Random(seed).randbytes(3 * CHUNK + 17)
    facts = {"name": "big.bin", "content_type": "application/pdf", "size": len(data), "todo_id": todo.id}
    file = Attachment(**facts, sha256=hashlib.sha256(data).hexdigest())
    db.session.add_all([file, EndedSession(session_id="ended", ended_at=utcnow())])
    db.session.flush()
    chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    db.session.add_all(
        AttachmentChunk(attachment_id=file.id, variant=0, position=n, data=part) for n, part in enumerate(chunks)
    )
    db.session.commit()


def content():
    """Everything in the database, as Python sees it."""
    return {
        one.name: [tuple(row) for row in db.session.execute(select(one).order_by(*one.primary_key.columns))]
        for one in backups.tables()
    }


def hashes():
    """The SHA-256 of each file, from its chunks, beside the one that was noted at the upload."""
    statement = select(Attachment.sha256, AttachmentChunk.data).join_from(AttachmentChunk, Attachment)
    found = {}
    for noted, data in db.session.execute(statement.order_by(Attachment.id, AttachmentChunk.position)):
        found.setdefault(noted, hashlib.sha256()).update(data)
    return {noted: digest.hexdigest() for noted, digest in found.items()}


def of(app, function):
    with app.app_context():
        try:
            return function()
        finally:
            db.session.remove()


@pytest.mark.parametrize("kind", DATABASES)
def test_backup_goes_into_the_other_database_and_back(site_of, tmp_path, kind):
    other = next(one for one in DATABASES if one != kind)
    first, second, third = site_of(kind), site_of(other), site_of(kind)
    of(first, fill)
    expected = of(first, content)
    assert len(expected["attachment_chunks"]) == 4
    for number, (source, target) in enumerate([(first, second), (second, third)]):
        file = str(tmp_path / f"{number}.gz")
        assert run_on(source, "backup", "create", file).exit_code == 0
        restored = run_on(target, "backup", "restore", file, "--json")
        assert restored.exit_code == 0, restored.output
        tables = json.loads(restored.stdout)["tables"]
        assert tables == {name: len(rows) for name, rows in expected.items()}
        assert of(target, content) == expected
        assert all(noted == found for noted, found in of(target, hashes).items())
        assert run_on(target, "sync").stdout == "Roles are in sync: 0 grants added, 0 removed.\n"


def test_ids_go_on_after_a_restore(site_of, database, tmp_path):
    source, target = site_of("sqlite"), site_of(database)
    of(source, fill)
    run_on(source, "backup", "create", str(tmp_path / "b"))
    assert run_on(target, "backup", "restore", str(tmp_path / "b")).exit_code == 0

    def add():
        todo = create_todo(create_user("carol"), "After the restore")
        return todo.id, db.session.scalar(select(func.max(Todo.id))), db.session.scalar(select(func.max(User.id)))

    assert of(target, add) == (3, 3, 3)


def test_row_that_only_sqlite_can_hold_is_named_and_nothing_is_restored(site_of, tmp_path):
    source, target = site_of("sqlite"), site_of("postgresql")

    def lengthen():
        fill()
        db.session.execute(text("UPDATE todos SET title = :long WHERE id = 1"), {"long": "a" * 1000})
        db.session.commit()

    of(source, lengthen)
    run_on(source, "backup", "create", str(tmp_path / "b"))
    before = of(target, content)
    result = run_on(target, "backup", "restore", str(tmp_path / "b"))
    assert (result.exit_code, "Table todos of this backup holds" in result.stderr) == (1, True), result.output
    assert "value too long" in result.stderr
    assert of(target, content) == before


def test_rows_that_refer_to_later_ones_can_be_restored(site_of, database, tmp_path):
    source, target = site_of(database), site_of(database)

    def refer():
        fill()
        ids = db.session.scalars(select(User.id).order_by(User.id)).all()
        db.session.execute(
            text("UPDATE ab_user SET created_by_fk = :last WHERE id = :first"), {"first": ids[0], "last": ids[-1]}
        )
        db.session.commit()

    of(source, refer)
    run_on(source, "backup", "create", str(tmp_path / "b"))
    result = run_on(target, "backup", "restore", str(tmp_path / "b"))
    assert result.exit_code == 0, result.output
    assert of(target, content) == of(source, content)
    if database == "postgresql":
        left = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND condeferrable"
        assert of(target, lambda: db.session.scalar(text(left))) == of(source, lambda: db.session.scalar(text(left)))


def test_backup_shows_one_instant(run, app, tmp_path):
    fill()
    with backups.snapshot() as connection:
        before = backups.count_rows(connection)
        with db.engine.begin() as writer:
            writer.execute(insert(EndedSession).values(session_id="later", ended_at=utcnow()))
        with (tmp_path / "b").open("wb") as stream:
            summary = backups.create(connection, stream, lambda _: None)
    assert (summary.rows, summary.tables["ended_sessions"]) == (before, 1)


def damaged(data, how):
    """Ways in which a file comes back from a bad disk or a bad network."""
    lines = gzip.decompress(data).splitlines(keepends=True)
    middle = next(number for number, line in enumerate(lines) if b"Done" in line)
    if how == "cut off":
        return data[: len(data) * 2 // 3]
    if how == "one byte changed":
        return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    if how == "one row changed":
        lines[middle] = lines[middle].replace(b"Done", b"Dome")
    elif how == "one row missing":
        del lines[middle]
    elif how == "without its end":
        del lines[-1]
    elif how == "a table missing":
        start = next(number for number, line in enumerate(lines) if b'{"table":"todo_assignees"' in line)
        del lines[start : start + 3]
    elif how == "something after its end":
        lines.append(b"[1]\n")
    elif how == "a line that is none":
        lines[middle] = b"[1,\n"
    return {"empty": b"", "something else": b"PK\x03\x04 and so on"}.get(how, gzip.compress(b"".join(lines)))


DAMAGES = (
    "cut off",
    "one byte changed",
    "one row changed",
    "one row missing",
    "without its end",
    "a table missing",
    "something after its end",
    "a line that is none",
    "empty",
    "something else",
)


@pytest.fixture(scope="module")
def archive(new_database):
    app = create_app(settings(new_database("sqlite")))
    stream = io.BytesIO()
    with app.app_context():
        migrate(app)
        fill()
        with backups.snapshot() as connection:
            backups.create(connection, stream, lambda _: None)
    db_dispose(app)
    return stream.getvalue()


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_backup_is_refused_and_leaves_nothing(run, app, archive, tmp_path, how):
    file = tmp_path / "damaged"
    file.write_bytes(damaged(archive, how))
    roles = content()["ab_role"]
    db.session.rollback()
    for command in ("verify", "restore"):
        result = run("backup", command, str(file))
        assert (result.exit_code, type(result.exception)) == (1, SystemExit), result.output
        assert "damaged" in result.stderr
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Todo)) == 0
    assert content()["ab_role"] == roles


def test_whole_backup_is_verified_without_a_database(archive, tmp_path):
    (tmp_path / "whole").write_bytes(archive)
    elsewhere = create_app(settings("sqlite:////nowhere/todos.db"))
    result = run_on(elsewhere, "backup", "verify", str(tmp_path / "whole"))
    assert result.exit_code == 0, result.output
    assert "is whole and holds" in result.stdout


def test_database_with_rows_is_refused(run, app, archive, tmp_path):
    create_user("already")
    (tmp_path / "whole").write_bytes(archive)
    for more in ([], ["--dry-run"]):
        result = run("backup", "restore", str(tmp_path / "whole"), *more)
        assert (result.exit_code, "not empty: there are rows in ab_user" in result.stderr) == (1, True)
    assert db.session.scalar(select(func.count()).select_from(User)) == 1


def test_backup_of_another_schema_is_refused(run, app, archive, tmp_path):
    lines = gzip.decompress(archive).splitlines(keepends=True)
    lines[0] = json.dumps(json.loads(lines[0]) | {"revision": "0000"}).encode() + b"\n"
    (tmp_path / "old").write_bytes(gzip.compress(b"".join(lines)))
    result = run("backup", "restore", str(tmp_path / "old"))
    assert (result.exit_code, "flask db upgrade 0000" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("found", "remedy"), [("0012_idempotency", "older than this version: run flask db upgrade"), ("ffff", "newer than")]
)
def test_schema_of_another_version_is_not_backed_up_in_part(site_of, database, tmp_path, found, remedy):
    source = site_of(database)

    def change():
        db.session.execute(text("DROP TABLE calendar_feeds"))
        db.session.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": found})
        db.session.commit()

    of(source, change)
    result = run_on(source, "backup", "create", str(tmp_path / "b"))
    assert (result.exit_code, remedy in result.stderr) == (1, True), result.output
    assert not list(tmp_path.iterdir())


def test_dry_run_changes_nothing(run, app, archive, tmp_path):
    (tmp_path / "whole").write_bytes(archive)
    result = run("backup", "restore", str(tmp_path / "whole"), "--dry-run")
    assert (result.exit_code, result.stdout[:20]) == (0, "Nothing was changed;")
    assert db.session.scalar(select(func.count()).select_from(Job)) == 0


def test_file_that_exists_is_not_overwritten_and_none_is_left_half_written(run, app, tmp_path):
    (tmp_path / "mine").write_text("precious")
    result = run("backup", "create", str(tmp_path / "mine"))
    assert (result.exit_code, "is not overwritten" in result.stderr) == (1, True)
    assert (tmp_path / "mine").read_text() == "precious"
    assert run("backup", "create", str(tmp_path)).exit_code == 0
    [made] = tmp_path.glob("todos-*.jsonl.gz")
    assert made.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.part"))
    assert "cannot be written" in run("backup", "create", "/nowhere/backup").stderr


def test_backup_passes_through_pipes(run, site_of, app, tmp_path):
    source = site_of("sqlite")
    of(source, fill)
    written = run_on(source, "backup", "create", "-")
    assert written.exit_code == 0, written.output
    restored = run("backup", "restore", "-", input=written.stdout_bytes)
    assert restored.exit_code == 0, restored.output
    db.session.rollback()
    assert content() == of(source, content)


@pytest.mark.parametrize("pipe", [True, False])
def test_disk_that_is_full_is_told_in_a_sentence_and_nothing_half_is_left(site_of, tmp_path, pipe):
    environ = environment(site_of("sqlite").config["SQLALCHEMY_DATABASE_URI"], "redis://localhost")
    target = "-" if pipe else str(tmp_path / "b")
    words = ["sh", "-c", f"{'' if pipe else 'ulimit -f 1;'} {sys.executable} -m flask --app run backup create {target}"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, cwd=ROOT, env=environ, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    reason = "No space left on device" if pipe else "File too large"
    assert done.stderr == f"Error: {target} cannot be written: {reason}.\n"
    assert not list(tmp_path.glob("b*"))


MEASURE = """
import json, re, sys
from pathlib import Path
from run import app
from app.extensions import db
from app.services import backups

def most():  # in MiB; what getrusage tells is also the parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

with app.app_context():
    if sys.argv[1] == "create":
        with backups.snapshot() as connection, open(sys.argv[2], "wb") as stream:
            before = most()
            rows = backups.create(connection, stream, lambda _: None).rows
    else:
        with db.engine.connect() as connection, open(sys.argv[2], "rb") as stream:
            before = most()
            rows = backups.restore(connection, stream, lambda _: None).rows
            connection.commit()
print(json.dumps([rows, most() - before]))
"""


def test_large_files_pass_through_and_are_never_held_in_memory(site_of, database, tmp_path):
    source, target = site_of(database), site_of(database)

    def fill_large():
        file = Attachment(name="big.bin", content_type="application/pdf", size=CHUNK, sha256="0" * 64)
        db.session.add(file)
        db.session.flush()
        data = random.Random(1).randbytes(CHUNK)
        rows = [{"attachment_id": file.id, "variant": 0, "position": n, "data": data} for n in range(240)]
        for first in range(0, len(rows), 50):
            db.session.execute(insert(AttachmentChunk), rows[first : first + 50])
        db.session.commit()

    of(source, fill_large)
    for app, command in ((source, "create"), (target, "restore")):
        environ = environment(app.config["SQLALCHEMY_DATABASE_URI"], "redis://localhost")
        words = [sys.executable, "-c", MEASURE, command, str(tmp_path / "b")]
        done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        rows, more = json.loads(done.stdout.splitlines()[-1])
        assert rows > 240
        assert more < 40, f"{command} of 60 MiB took {more} MiB more"
