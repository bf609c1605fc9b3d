"""Remember which row of an imported file a todo comes from, so that the same file does not add it twice.

Revision: 0014_imports, after 0013_calendars.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014_imports"
down_revision = "0013_calendars"
INDEX, COLUMNS = "uq_todos_import_key", ["import_key"]
IMPORTED = sa.text("import_key IS NOT NULL")


def upgrade() -> None:
    """Change the schema."""
    op.add_column("todos", sa.Column("import_key", sa.String(length=64), nullable=True))
    if op.get_context().dialect.name != "postgresql":
        op.create_index(INDEX, "todos", COLUMNS, unique=True, sqlite_where=IMPORTED)
        return
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for old transactions, and nobody waits for it
        more = {"postgresql_concurrently": True, "if_not_exists": True, "postgresql_where": IMPORTED}
        op.create_index(INDEX, "todos", COLUMNS, unique=True, **more)
        op.execute("SET lock_timeout = '5s'")


def downgrade() -> None:
    """Take the change back."""
    op.drop_index(INDEX, "todos")
    op.execute("ALTER TABLE todos DROP COLUMN import_key")
