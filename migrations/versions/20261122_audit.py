"""Add the audit trail, which the database itself keeps from being changed.

Revision: 0006_audit, after 0005_trash.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006_audit"
down_revision = "0005_trash"

# entries may go only while a row of audit_purges says until when; no commit can leave such a row behind
SQLITE = (
    """CREATE TRIGGER audit_entries_update BEFORE UPDATE ON audit_entries
        BEGIN SELECT RAISE(ABORT, 'The audit trail is append-only.'); END""",
    """CREATE TRIGGER audit_entries_delete BEFORE DELETE ON audit_entries
        WHEN NOT EXISTS (SELECT 1 FROM audit_purges WHERE audit_purges.before > OLD.at)
        BEGIN SELECT RAISE(ABORT, 'The audit trail is append-only.'); END""",
)
POSTGRESQL = (
    """CREATE FUNCTION audit_entries_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' THEN
                IF EXISTS (SELECT 1 FROM audit_purges WHERE audit_purges.before > OLD.at) THEN
                    RETURN OLD;
                END IF;
            END IF;
            RAISE EXCEPTION 'The audit trail is append-only.';
        END $$""",
    """CREATE TRIGGER audit_entries_change BEFORE UPDATE OR DELETE ON audit_entries
        FOR EACH ROW EXECUTE FUNCTION audit_entries_refuse()""",
    """CREATE TRIGGER audit_entries_truncate BEFORE TRUNCATE ON audit_entries
        FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_refuse()""",
)


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("program", sa.String(length=64), nullable=True),
        sa.Column("entity", sa.String(length=32), nullable=True),
        sa.Column("row_id", sa.Integer(), nullable=True),
        sa.Column("label", sa.String(length=255), nullable=True),
        sa.Column("todo_id", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.CheckConstraint("id > 0", name="ck_audit_entries_id"),
        sa.CheckConstraint("kind IN ('data', 'security', 'job')", name="ck_audit_entries_kind"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_entries_by_todo", "audit_entries", ["todo_id", "id"])
    op.create_index("ix_audit_entries_by_row", "audit_entries", ["entity", "row_id", "id"])
    op.create_index("ix_audit_entries_by_actor", "audit_entries", ["actor_id", "id"])
    op.create_index("ix_audit_entries_by_action", "audit_entries", ["action", "id"])
    op.create_index("ix_audit_entries_by_at", "audit_entries", ["at"])
    op.create_table(
        "audit_people",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
    )
    op.create_table(
        "audit_purges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("never", sa.Integer(), nullable=False),
        sa.CheckConstraint("never = 0", name="ck_audit_purges_never"),
        sa.ForeignKeyConstraint(["never"], ["audit_entries.id"], initially="DEFERRED", deferrable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO audit_people SELECT id, first_name || ' ' || last_name FROM ab_user")
    for statement in SQLITE if op.get_context().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Take the change back."""
    op.drop_table("audit_purges")
    op.drop_table("audit_people")
    op.drop_table("audit_entries")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_entries_refuse()")
