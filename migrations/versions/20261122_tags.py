"""Add tags.

Revision: 0004_tags.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004_tags"
down_revision = "0003_api_keys"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "tags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("colour", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(trim(name)) > 0", name="ck_tags_name"),
        sa.CheckConstraint(
            "colour IN ('grey', 'red', 'orange', 'yellow', 'green', 'teal', 'blue', 'purple', 'pink', 'brown')",
            name="ck_tags_colour",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uq_tags_key", "tags", ["key"], unique=True)
    op.create_table(
        "todo_tags",
        sa.Column("todo_id", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["todo_id"], ["todos.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("todo_id", "tag_id"),
    )
    op.create_index("ix_todo_tags_by_tag", "todo_tags", ["tag_id", "todo_id"])


def downgrade() -> None:
    """Take the change back."""
    op.drop_table("todo_tags")
    op.drop_table("tags")
