"""Migrations lock no big table for long: old and new code run on one schema while PostgreSQL serves both.

The rules look at the statements that a real PostgreSQL gets. Tables that a revision makes itself are nobody's yet, so
they may be made in any way. docs/contribute.md says how to do what is refused here.
"""

import re

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from flask_appbuilder import Model
from sqlalchemy import Engine, event

from app import create_app
from config import ROOT
from tests.conftest import db_dispose, settings

NAME = r'(?:"?public"?\.)?"?(\w+)"?'
INDEX = re.compile(rf"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)(?:IF NOT EXISTS )?\S+ ON (?:ONLY )?{NAME}", re.I)
ALTER = re.compile(rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?{NAME} (.*)", re.I | re.S)
DROP = re.compile(rf"(?:DROP TABLE|TRUNCATE)(?: IF EXISTS)? {NAME}", re.I)
REWRITE = re.compile(rf"(?:UPDATE|DELETE FROM) {NAME}", re.I)
CREATE = re.compile(rf"CREATE TABLE (?:IF NOT EXISTS )?{NAME}", re.I)
# what a table in use does not stand: pattern of the rest of ALTER TABLE, and what to do instead
REFUSED = (
    (r"ALTER COLUMN \S+ (?:SET DATA )?TYPE ", "changes a type, which writes the table anew: add a column"),
    (
        r"ALTER COLUMN \S+ SET NOT NULL",
        "reads the whole table under a lock: add a CHECK as NOT VALID, then VALIDATE it",
    ),
    (r"ADD COLUMN (?!.*DEFAULT).*NOT NULL", "old code cannot insert rows any more: give it a server default"),
    (r"ADD COLUMN .*GENERATED ", "writes the table anew: use a trigger or an expression index"),
    (
        r"ADD COLUMN .*(?:SERIAL|DEFAULT (?:\w+\.)?(?!now|current_)\w+\()",
        "writes the table anew: use a constant default",
    ),
    (
        r"ADD (?:CONSTRAINT \S+ )?(?:FOREIGN KEY|CHECK)(?!.*NOT VALID)",
        "checks all rows under a lock: add it as NOT VALID",
    ),
    (r"ADD (?:CONSTRAINT \S+ )?(?:UNIQUE|PRIMARY KEY)(?!.*USING INDEX)", "builds an index under a lock: USING INDEX"),
    (r"(?:DROP COLUMN|DROP CONSTRAINT|RENAME)", "old code still uses it: contract a release later, see CONTRACTS"),
)
# revisions that take away what the release before them no longer uses: revision -> why nobody misses it
CONTRACTS: dict[str, str] = {}
# made before the first release, when no site had a row that anybody could wait for
UNRELEASED = ("0005_trash", "0009_saved_filters", "0010_job_engine", "0015_undo_tags")


def problems(statements, existing, revision=""):
    """Say of each statement that locks an existing table for long what is wrong with it."""
    found = []
    tables = set(existing)
    for statement in statements:
        line = " ".join(statement.split())
        if created := CREATE.match(line):
            tables.discard(created[1])  # it is new, whatever was there before
        if (index := INDEX.match(line)) and index[1] in tables:
            found.append(f"{line}: blocks every write: build it CONCURRENTLY")
        if (drop := DROP.match(line)) and drop[1] in tables and revision not in CONTRACTS:
            found.append(f"{line}: old code still uses it: contract a release later")
        if (rewrite := REWRITE.match(line)) and rewrite[1] in tables and rewrite[1] != "alembic_version":
            found.append(f"{line}: changes rows in one long transaction: let a job do it in batches")
        if (alter := ALTER.match(line)) and alter[1] in tables:
            wrong = [why for pattern, why in REFUSED if re.match(pattern, alter[2], re.I)]
            found += [f"{line}: {why}" for why in wrong if not (revision in CONTRACTS and "CONTRACTS" in why)]
    return found


def revisions():
    """All revisions, oldest first."""
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    return [script.revision for script in scripts.walk_revisions()][::-1]


@pytest.fixture(scope="module")
def executed(new_database):
    """What PostgreSQL gets for each revision, and which tables there were before."""
    app = create_app(settings(new_database("postgresql")))
    found = {}
    statements = []

    def note(_connection, _cursor, statement, *_):
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with app.app_context():
            config = app.extensions["migrate"].migrate.get_config()
            tables = set()
            for revision in revisions():
                statements.clear()
                command.upgrade(config, revision)
                found[revision] = (list(statements), set(tables))
                tables |= {created[1] for line in statements if (created := CREATE.match(" ".join(line.split())))}
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        db_dispose(app)
    assert set(Model.metadata.tables) <= tables  # or this test would look at nothing
    return found


@pytest.mark.parametrize("revision", revisions())
def test_revision_locks_no_table_for_long(executed, revision):
    statements, existing = executed[revision]
    found = problems(statements, existing, revision)
    assert revision in UNRELEASED or found == []


def test_no_statement_waits_long_for_a_lock(executed):
    for statements, _ in executed.values():
        waits = [number for number, line in enumerate(statements) if "SET lock_timeout" in line]
        changes = [number for number, line in enumerate(statements) if re.match(r"\s*(ALTER|CREATE|DROP)", line)]
        assert waits
        assert not changes or waits[0] < changes[0]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX ix ON todos (title)",
        'CREATE UNIQUE INDEX ix ON "todos" (title)',
        "ALTER TABLE todos ALTER COLUMN title TYPE TEXT",
        "ALTER TABLE todos ALTER COLUMN due_on SET NOT NULL",
        "ALTER TABLE todos ADD COLUMN colour VARCHAR(9) NOT NULL",
        "ALTER TABLE todos ADD COLUMN number SERIAL",
        "ALTER TABLE todos ADD COLUMN code UUID DEFAULT gen_random_uuid()",
        "ALTER TABLE todos ADD COLUMN low TEXT GENERATED ALWAYS AS (lower(title)) STORED",
        "ALTER TABLE todos ADD CONSTRAINT fk FOREIGN KEY(a) REFERENCES b (id)",
        "ALTER TABLE todos ADD CHECK (priority < 9)",
        "ALTER TABLE todos ADD CONSTRAINT uq UNIQUE (title)",
        "ALTER TABLE todos DROP COLUMN notes",
        "ALTER TABLE todos RENAME TO tasks",
        "DROP TABLE todos",
        "UPDATE todos SET notes = ''",
    ],
)
def test_what_locks_a_table_is_refused_but_on_a_new_one(statement):
    assert len(problems([statement], {"todos"})) == 1
    assert problems(["CREATE TABLE todos (id INTEGER)", statement], set()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON todos (title)",
        "ALTER TABLE todos ADD COLUMN colour VARCHAR(9)",
        "ALTER TABLE todos ADD COLUMN colour VARCHAR(9) DEFAULT 'red' NOT NULL",
        "ALTER TABLE todos ADD COLUMN seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL",
        "ALTER TABLE todos ADD CONSTRAINT fk FOREIGN KEY(a) REFERENCES b (id) NOT VALID",
        "ALTER TABLE todos VALIDATE CONSTRAINT fk",
        "ALTER TABLE todos ADD CONSTRAINT uq UNIQUE USING INDEX ix",
        "CREATE TABLE other (id INTEGER)",
        "UPDATE alembic_version SET version_num='2'",
    ],
)
def test_what_locks_nothing_for_long_is_fine(statement):
    assert problems([statement], {"todos", "alembic_version"}) == []
