"""Create the table of notifications.

Revision: notifications.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_notifications"
down_revision = "0001"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "notifications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=True),
        sa.Column("actor", sa.String(length=130), nullable=False),
        sa.Column("todo_id", sa.Integer(), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["todo_id"], ["todos.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_notifications_by_user", "notifications", ["user_id", "id"])
    op.create_index("ix_notifications_unread", "notifications", ["user_id", "read_at"])
    op.create_index("uq_notifications_key", "notifications", ["user_id", "key"], unique=True)
    op.create_index("ix_notifications_by_todo", "notifications", ["todo_id"])
    op.create_index("ix_notifications_by_job", "notifications", ["job_id"])


def downgrade() -> None:
    """Change it back."""
    op.drop_table("notifications")
