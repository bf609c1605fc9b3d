"""`flask backup`: everything in one file, and back."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import click
from flask.cli import with_appcontext

from app.cli.output import dry_run_option, json_option, progress, show_json
from app.db import utcnow
from app.errors import Conflict, Invalid
from app.extensions import db
from app.services import backups
from app.services.backups_archive import Summary

PIPE = Path("-")
source = click.argument("path", type=click.Path(path_type=Path))


@click.group("backup")
def backup() -> None:
    """Write everything into one file, check such a file, and restore it into an empty database.

    A backup holds all rows and all files, of one instant, whatever others write meanwhile. It restores into SQLite and
    PostgreSQL alike, whichever it comes from. It holds the hashes of passwords: keep it as safe as the database.
    """


@backup.command("create")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@json_option
@with_appcontext
def create(path: Path, as_json: bool) -> None:
    """Write a backup to PATH, which must not exist; to a named file in it if PATH is a folder, by default this one.

    A `-` writes to standard output. The site may go on meanwhile.

    \b
    flask backup create /var/backups
    flask backup create - | ssh backup.example.org 'cat > todos.jsonl.gz'
    """
    if path.is_dir():
        path /= f"todos-{utcnow():%Y%m%d-%H%M%S}.jsonl.gz"
    with (
        backups.snapshot() as connection,
        writing(path) as stream,
        progress("Writing", backups.count_rows(connection)) as bar,
    ):
        summary = backups.create(connection, stream, bar.update)
    report(f"{path} holds", summary, as_json, to_stderr=path == PIPE)


@backup.command("verify")
@source
@json_option
@with_appcontext
def verify(path: Path, as_json: bool) -> None:
    """Read the whole backup at PATH and tell whether every checksum is right; a `-` reads standard input."""
    with reading(path) as stream, advancing("Reading", stream) as advance:
        summary = backups.verify(stream, advance)
    report(f"{path} is whole and holds", summary, as_json)


@backup.command("restore")
@source
@dry_run_option
@json_option
@with_appcontext
def restore(path: Path, dry_run: bool, as_json: bool) -> None:
    """Fill an empty, migrated database from the backup at PATH; a `-` reads standard input.

    A database with any row of its own is refused, but for the roles that `flask sync` makes. All or nothing: a damaged
    backup leaves the database as it was. Stop web and workers first, and run `flask sync` afterwards.

    \b
    flask db upgrade
    flask backup restore /var/backups/todos-20261122-180000.jsonl.gz --dry-run
    flask backup restore /var/backups/todos-20261122-180000.jsonl.gz
    flask sync
    """
    label = "Reading" if dry_run else "Restoring"
    with reading(path) as stream, db.engine.connect() as connection, advancing(label, stream) as advance:
        if dry_run:
            summary = backups.verify(stream, advance)
            backups.check_target(connection, summary)
        else:
            summary = backups.restore(connection, stream, advance)
            connection.commit()
    report("Nothing was changed; this would restore" if dry_run else "Restored", summary, as_json)


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file or standard output; a disk that is full and a pipe that ends get a sentence."""
    try:
        with to_pipe() if path == PIPE else to_file(path) as stream:
            yield stream
    except OSError as error:
        raise Invalid(f"{path} cannot be written: {error.strerror}.") from error


@contextmanager
def to_pipe() -> Iterator[IO[bytes]]:
    """Return standard output, and fail here rather than at the end of the process."""
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


@contextmanager
def to_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that only we can read and that gets its name when it is complete."""
    part = path.with_name(f"{path.name}.part")
    refuse_existing(path)
    try:
        stream = part.open("xb")
    except FileExistsError:
        raise Conflict(f"{part} exists: another backup is under way, or was cut off. Remove it then.") from None
    try:
        with stream:
            part.chmod(0o600)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        refuse_existing(path)
        part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def refuse_existing(path: Path) -> None:
    """Raise Conflict if there is something at the path."""
    if path.exists():
        raise Conflict(f"{path} exists already and is not overwritten.")


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, or standard input."""
    if path == PIPE:
        yield sys.stdin.buffer
        return
    try:
        stream = path.open("rb")
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error
    with stream:
        yield stream


@contextmanager
def advancing(label: str, stream: IO[bytes]) -> Iterator[Callable[[int], Any]]:
    """Show how much of a file is read; of a pipe nobody knows."""
    if not stream.seekable():
        yield lambda _: None
        return
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    with progress(label, size) as bar:
        yield lambda _: bar.update(stream.tell() - bar.pos)


def report(sentence: str, summary: Summary, as_json: bool, to_stderr: bool = False) -> None:
    """Say what a backup holds."""
    if as_json and not to_stderr:
        show_json(asdict(summary) | {"rows": summary.rows})
        return
    filled = sum(1 for rows in summary.tables.values() if rows)
    click.echo(
        f"{sentence} {summary.rows:,} rows of {filled} tables, of {summary.created_at}, from {summary.database}, "
        f"revision {summary.revision}.\nsha256 of the content: {summary.sha256}",
        err=to_stderr,
    )
