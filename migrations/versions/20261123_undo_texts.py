"""Remember the texts that an import changed, so that it can be undone.

Revision: 0016_undo_texts, after 0015_undo_tags.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016_undo_texts"
down_revision = "0015_undo_tags"


def upgrade() -> None:
    """Change the schema."""
    op.add_column("undo_rows", sa.Column("title", sa.String(length=200), nullable=True))
    op.add_column("undo_rows", sa.Column("notes", sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("undo_rows", "notes")
    op.drop_column("undo_rows", "title")
