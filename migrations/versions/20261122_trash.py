"""Remember who deleted a todo, and what an action changed, so that it can be undone.

Revision: 0005_trash, after 0004_tags.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_trash"
down_revision = "0004_tags"


def upgrade() -> None:
    """Change the schema."""
    # plain SQL: with a key, Alembic would copy the whole table on SQLite
    op.execute("ALTER TABLE todos ADD COLUMN deleted_by_id INTEGER REFERENCES ab_user (id) ON DELETE SET NULL")
    deleted = sa.text("deleted_at IS NOT NULL")
    op.create_index("ix_todos_in_trash", "todos", ["deleted_at", "id"], sqlite_where=deleted, postgresql_where=deleted)
    op.create_table(
        "undo_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_undo_steps_by_age", "undo_steps", ["created_at"])
    op.create_table(
        "undo_rows",
        sa.Column("step_id", sa.Integer(), nullable=False),
        sa.Column("todo_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["deleted_by_id"], ["ab_user.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["owner_id"], ["ab_user.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["step_id"], ["undo_steps.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["todo_id"], ["todos.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("step_id", "todo_id"),
    )
    op.create_index("ix_undo_rows_by_todo", "undo_rows", ["todo_id"])
    op.create_table(
        "undo_assignees",
        sa.Column("step_id", sa.Integer(), nullable=False),
        sa.Column("todo_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["step_id", "todo_id"], ["undo_rows.step_id", "undo_rows.todo_id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("step_id", "todo_id", "user_id"),
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_table("undo_assignees")
    op.drop_table("undo_rows")
    op.drop_table("undo_steps")
    op.drop_index("ix_todos_in_trash", "todos")
    op.execute("ALTER TABLE todos DROP COLUMN deleted_by_id")
