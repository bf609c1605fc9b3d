"""Keep the rows of an import aside until all of them are good.

Revision: 0017_import_rows, after 0016_undo_texts.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017_import_rows"
down_revision = "0016_undo_texts"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "import_rows",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("todo_id", sa.Integer(), nullable=True),
        sa.Column("given", sa.JSON(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assignees", sa.JSON(), nullable=False),
        sa.Column("tag_names", sa.JSON(), nullable=False),
        sa.Column("tag_keys", sa.JSON(), nullable=False),
        sa.Column("trail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "number"),
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_table("import_rows")
