"""Add the sign that the site is closed for maintenance.

Revision: 0011_maintenance, after 0010_job_engine.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011_maintenance"
down_revision = "0010_job_engine"


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "maintenance",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("retry_seconds", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_maintenance_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Take the change back."""
    op.drop_table("maintenance")
