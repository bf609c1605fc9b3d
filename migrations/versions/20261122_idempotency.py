"""Create the table of idempotency keys.

Revision: 0012_idempotency.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012_idempotency"
down_revision = "0011_maintenance"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "idempotency_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uq_idempotency_keys_key", "idempotency_keys", ["user_id", "key"], unique=True)
    op.create_index("ix_idempotency_keys_by_claim", "idempotency_keys", ["claimed_at"])


def downgrade() -> None:
    """Change it back."""
    op.drop_table("idempotency_keys")
