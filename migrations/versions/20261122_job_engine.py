"""Let jobs have parts, queues, later tries and successors; remember workers and the slots of the schedule.

Revision: 0010_job_engine.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010_job_engine"
down_revision = "0009_saved_filters"

COLUMNS = ("queue", "parent_id", "part", "parts_total", "again_of_id", "next_try_at", "excused", "max_attempts")
COLUMNS += ("time_limit", "worker", "pid")


def upgrade() -> None:
    """Change the schema."""
    op.add_column("jobs", sa.Column("queue", sa.String(length=16), nullable=False, server_default="interactive"))
    op.add_column("jobs", sa.Column("parent_id", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("part", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("parts_total", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("again_of_id", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("excused", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("max_attempts", sa.Integer(), nullable=False, server_default="3"))
    op.add_column("jobs", sa.Column("time_limit", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("worker", sa.String(length=128), nullable=True))
    op.add_column("jobs", sa.Column("pid", sa.Integer(), nullable=True))
    op.create_index("uq_jobs_parts", "jobs", ["parent_id", "part"], unique=True)
    op.create_index("ix_jobs_by_end", "jobs", ["finished_at"])

    op.create_table(
        "job_workers",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("queues", sa.String(length=255), nullable=False),
        sa.Column("processes", sa.Integer(), nullable=False),
        sa.Column("busy", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "job_slots",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("slot_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("name", "slot_at"),
    )
    op.create_index("ix_job_slots_by_job", "job_slots", ["job_id"])


def downgrade() -> None:
    """Change it back; parts of jobs are forgotten, since old code would take them for jobs."""
    op.drop_table("job_slots")
    op.drop_table("job_workers")
    op.execute("DELETE FROM jobs WHERE parent_id IS NOT NULL")
    for name in ("uq_jobs_parts", "ix_jobs_by_end"):
        op.drop_index(name, "jobs")
    for name in COLUMNS:
        # as text: Alembic would copy the table on SQLite, and drop the old one with the files that hang on its rows
        op.execute(f"ALTER TABLE jobs DROP COLUMN {name}")
