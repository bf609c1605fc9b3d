"""Foreign keys that cannot hold until the last row is there: of rows of one table to each other, and of cycles."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Table, inspect, text


@contextmanager
def deferred(connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
    """Check them at the end of the block, where an IntegrityError tells that a row is missing.

    Args:
        connection: with a transaction, in which all happens.
        tables: in the order in which they are filled.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        yield
        return
    waiting = list(_backward(connection, tables))
    for table, constraint in waiting:
        connection.execute(text(f"ALTER TABLE {table} ALTER CONSTRAINT {constraint} DEFERRABLE INITIALLY DEFERRED"))
    yield
    connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    for table, constraint in waiting:
        connection.execute(text(f"ALTER TABLE {table} ALTER CONSTRAINT {constraint} NOT DEFERRABLE"))


def _backward(connection: Connection, tables: Sequence[Table]) -> Iterator[tuple[str, str]]:
    """Yield table and name, quoted, of each constraint that refers to the table itself or to a later one."""
    quote = connection.dialect.identifier_preparer.quote
    filled: set[str] = set()
    inspector = inspect(connection)
    for table in tables:
        for key in inspector.get_foreign_keys(table.name):
            if key["referred_table"] not in filled and not key["options"].get("deferrable"):
                yield quote(table.name), quote(str(key["name"]))
        filled.add(table.name)
