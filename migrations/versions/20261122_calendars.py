"""Create the table of calendar feeds.

Revision: 0013_calendars.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013_calendars"
down_revision = "0012_idempotency"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "calendar_feeds",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id"),
    )


def downgrade() -> None:
    """Change it back."""
    op.drop_table("calendar_feeds")
