"""Note how large the preview of an image is.

Revision: 0018_previews, after 0017_import_rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018_previews"
down_revision = "0017_import_rows"


def upgrade() -> None:
    """Change the schema."""
    op.add_column("attachments", sa.Column("preview_size", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("attachments", "preview_size")
