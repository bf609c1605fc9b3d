"""Remember the tags that an action changed, and which job took it.

Revision: 0015_undo_tags, after 0014_imports.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015_undo_tags"
down_revision = "0014_imports"


def upgrade() -> None:
    """Change the schema."""
    op.add_column("undo_steps", sa.Column("job_id", sa.Integer(), nullable=True))
    op.create_index("ix_undo_steps_by_job", "undo_steps", ["job_id"])
    op.create_table(
        "undo_tags",
        sa.Column("step_id", sa.Integer(), nullable=False),
        sa.Column("todo_id", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["step_id", "todo_id"], ["undo_rows.step_id", "undo_rows.todo_id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("step_id", "todo_id", "tag_id"),
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_table("undo_tags")
    op.drop_index("ix_undo_steps_by_job", "undo_steps")
    op.drop_column("undo_steps", "job_id")
