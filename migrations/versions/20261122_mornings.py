"""Create the table of morning mails, and let people choose which they want.

Revision: mornings.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008_mornings"
down_revision = "0007_comments"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "morning_mails",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "day"),
    )
    op.create_index("ix_morning_mails_taken_at", "morning_mails", ["taken_at"])
    op.add_column("ab_user", sa.Column("mail", sa.String(length=8), server_default="digest", nullable=False))


def downgrade() -> None:
    """Change it back."""
    op.drop_column("ab_user", "mail")
    op.drop_table("morning_mails")
