"""Find what repeats a job, for those who run all of a group of failed ones again.

Revision: 0019_jobs_again, after 0018_previews.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019_jobs_again"
down_revision = "0018_previews"
INDEX, AGAIN = "ix_jobs_by_repeated", sa.text("again_of_id IS NOT NULL")


def upgrade() -> None:
    """Change the schema."""
    if op.get_context().dialect.name == "sqlite":
        op.create_index(INDEX, "jobs", ["again_of_id"], sqlite_where=AGAIN)
        return
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for old transactions, and nobody waits for it
        more = {"postgresql_concurrently": True, "if_not_exists": True, "postgresql_where": AGAIN}
        op.create_index(INDEX, "jobs", ["again_of_id"], **more)
        op.execute("SET lock_timeout = '5s'")


def downgrade() -> None:
    """Undo the change."""
    op.drop_index(INDEX, table_name="jobs")
