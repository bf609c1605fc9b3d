"""Add named filters, and whether a person's time zone is known.

Revision: 0009_saved_filters.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009_saved_filters"
down_revision = "0008_mornings"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("query", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["ab_user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uq_saved_filters_name", "saved_filters", ["owner_id", "name"], unique=True)
    op.add_column("ab_user", sa.Column("time_zone_known", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE ab_user SET time_zone_known = true WHERE time_zone <> 'UTC'")


def downgrade() -> None:
    """Take the change back."""
    op.drop_column("ab_user", "time_zone_known")
    op.drop_table("saved_filters")
