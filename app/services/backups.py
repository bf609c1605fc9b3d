"""All rows of the database as one archive, out of and into either kind of database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import IO, Any

from sqlalchemy import Column, Connection, Table, column, func, insert, select, table, text, true
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.sql.ddl import sort_tables_and_constraints

from app.db import utcnow
from app.errors import Conflict, Invalid
from app.extensions import db
from app.models.audit import AuditEntry, AuditPurge
from app.services import backups_foreign_keys as foreign_keys
from app.services.backups_archive import Reader, Row, Summary, Writer
from app.services.backups_values import decoder, encode, python_type
from app.services.health import is_behind, is_newest

BATCH_ROWS = 500
BATCH_BYTES = 4 << 20
LOCK_SECONDS = 10
# what `flask sync` writes into an empty database; the archive brings its own
SYNCED = ("ab_permission_view_role", "ab_permission_view", "ab_permission", "ab_view_menu", "ab_role")
TRAIL, GATE = (db.Model.metadata.tables[model.__tablename__] for model in (AuditEntry, AuditPurge))
Advance = Callable[[int], Any]


def tables() -> list[Table]:
    """Return all tables but those that say nothing once the processes of today are gone, referred ones first."""
    kept = [one for one in db.Model.metadata.tables.values() if not one.info.get("transient")]
    in_order = sort_tables_and_constraints(kept)  # type: ignore[no-untyped-call]
    return [one for one, _ in in_order if one is not None]


@contextmanager
def snapshot() -> Iterator[Connection]:
    """Open a connection that sees the database as it is now, whatever others write meanwhile; nobody waits for it."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        else:
            connection.exec_driver_sql("BEGIN")
        try:
            yield connection
        finally:
            connection.rollback()


def revision(connection: Connection) -> str:
    """Return the revision of the schema.

    Raises:
        Conflict: when there is none.
    """
    try:
        return str(connection.scalar(text("SELECT version_num FROM alembic_version")))
    except SQLAlchemyError as error:
        raise Conflict("This database does not answer or has no tables: run flask db upgrade.") from error


def _own_revision(connection: Connection) -> str:
    """Return the revision of the schema, which has to be the one of this code: of another we know not all.

    Raises:
        Conflict: saying which version can make a backup.
    """
    found = revision(connection)
    if is_behind(found):
        raise Conflict(f"The schema is at {found}, older than this version: run flask db upgrade.")
    if not is_newest(found):
        raise Conflict(f"The schema is at {found}, newer than this version: back up with the version that migrated it.")
    return found


def count_rows(connection: Connection) -> int:
    """Return how many rows a backup would hold.

    Raises:
        Conflict: when the schema is not the one of this code.
    """
    _own_revision(connection)
    return sum(connection.scalar(select(func.count()).select_from(one)) or 0 for one in tables())


def create(connection: Connection, stream: IO[bytes], advance: Advance) -> Summary:
    """Write everything that a snapshot sees to a stream.

    Args:
        connection: a snapshot.
        stream: where to; it is not closed.
        advance: called with the number of rows written since the last call.

    Raises:
        Conflict: when the schema is not the one of this code.
    """
    writer = Writer(
        stream, Summary(_own_revision(connection), utcnow().isoformat(timespec="seconds"), connection.dialect.name)
    )
    for one in tables():
        columns = [known for known in one.columns if known.computed is None]
        writer.table(one.name, [known.name for known in columns], _rows(connection, one, columns, advance))
    writer.close()
    return writer.summary


def _rows(connection: Connection, one: Table, columns: list[Column[Any]], advance: Advance) -> Iterator[Row]:
    """Yield the rows of a table in order of its key, never holding more than a few."""
    has_bytes = any(python_type(known) is bytes for known in columns)
    statement = select(*columns).order_by(*one.primary_key.columns)
    options = {"stream_results": True, "yield_per": 16 if has_bytes else BATCH_ROWS}
    for part in connection.execute(statement, execution_options=options).partitions():
        for row in part:
            yield [encode(value) for value in row]
        advance(len(part))


def verify(stream: IO[bytes], advance: Advance = lambda _: None) -> Summary:
    """Read a whole archive and return what it holds.

    Raises:
        Invalid: when it is damaged.
    """
    reader = Reader(stream)
    for _name, _columns, rows in reader.tables():
        for _row in rows:
            advance(1)
    return reader.summary


def check_target(connection: Connection, summary: Summary) -> None:
    """Refuse a database that is not empty or of another schema than the archive.

    Raises:
        Conflict: saying what to do.
    """
    found = revision(connection)
    if found != summary.revision:
        raise Conflict(
            f"The backup is of revision {summary.revision}, this database of {found}. Bring an empty database to the "
            f"former with flask db upgrade {summary.revision}, restore, then run flask db upgrade."
        )
    for one in tables():
        if one.name in SYNCED:
            continue
        # the trail of a new database tells of programs only; what people did is never thrown away
        of_people = one.c.actor_id.is_not(None) if one is TRAIL else true()
        if connection.execute(select(text("1")).select_from(one).where(of_people).limit(1)).first():
            raise Conflict(f"This database is not empty: there are rows in {one.name}. Restore into a new one.")


def restore(connection: Connection, stream: IO[bytes], advance: Advance) -> Summary:
    """Fill an empty database from an archive, within the transaction of the connection; nothing stays if it fails.

    Raises:
        Conflict: when the database is not empty or of another schema.
        Invalid: when the archive is damaged or holds what this code does not know.
    """
    reader = Reader(stream)
    check_target(connection, reader.summary)
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
    try:
        _forget_setup(connection)
        with foreign_keys.deferred(connection, tables()):
            for name, columns, rows in reader.tables():
                _fill(connection, name, columns, rows, advance)
    except IntegrityError as error:
        raise Invalid(f"The rows of this backup do not fit together: {error.orig}") from error
    except DataError as error:
        raise Invalid(f"Table {name} of this backup holds what this database cannot: {error.orig}") from error
    except OperationalError as error:
        raise Conflict(f"Somebody else uses this database. Stop web and workers and try again. {error.orig}") from error
    _set_sequences(connection)
    return reader.summary


def _forget_setup(connection: Connection) -> None:
    """Delete what was written while the database was set up; the audit trail lets go of what a purge names."""
    for name in SYNCED:
        connection.execute(db.Model.metadata.tables[name].delete())
    connection.execute(GATE.insert().values(before=utcnow() + timedelta(days=1), never=0))
    connection.execute(TRAIL.delete())
    connection.execute(GATE.delete())


def _fill(connection: Connection, name: str, columns: list[str], rows: Iterator[Row], advance: Advance) -> None:
    """Insert the rows of a table in batches of bounded size."""
    known = db.Model.metadata.tables.get(name)
    if known is None or any(one not in known.columns for one in columns):
        raise Invalid(f"This version does not know all of table {name}: restore with the version of the backup.")
    # without the defaults that the table of the model would fill in, for columns that the archive's schema lacks
    statement = insert(table(name, *(column(one, known.columns[one].type) for one in columns)))
    decoders = [decoder(known.columns[one]) for one in columns]
    batch: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        values = (decode(value) for decode, value in zip(decoders, row, strict=True))
        batch.append(dict(zip(columns, values, strict=True)))
        size += sum(len(value) for value in row if isinstance(value, str))
        if len(batch) == BATCH_ROWS or size > BATCH_BYTES:
            connection.execute(statement, batch)
            advance(len(batch))
            batch, size = [], 0
    if batch:
        connection.execute(statement, batch)
        advance(len(batch))


def _set_sequences(connection: Connection) -> None:
    """Let PostgreSQL give out ids after the highest that was restored; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for one in tables():
        quoted = connection.dialect.identifier_preparer.format_table(one)
        for key in one.primary_key.columns:
            found = connection.scalar(select(func.pg_get_serial_sequence(quoted, key.name)))
            if found and (highest := connection.scalar(select(func.max(key)))):
                connection.execute(select(func.setval(found, highest)))
