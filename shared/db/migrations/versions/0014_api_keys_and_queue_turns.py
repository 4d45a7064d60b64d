"""API keys, the owners' turns in the queue, and the index of the queue by owner

Revision: 0014, after 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

QUEUE_COLUMNS = ["status", "held", "owner_id", "job_id", "index"]


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.Column("last_used_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index(op.f("ix_api_keys_owner_id"), "api_keys", ["owner_id"])
    op.create_index(op.f("ix_api_keys_prefix"), "api_keys", ["prefix"], unique=True)
    op.create_table(
        "queue_turns",
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("pk_queue_turns")),
    )
    op.create_index(op.f("ix_queue_turns_turn"), "queue_turns", ["turn"])
    op.create_index(op.f("ix_runs_status_held_owner_id_job_id_index"), "runs", QUEUE_COLUMNS)


def downgrade() -> None:
    op.drop_index(op.f("ix_runs_status_held_owner_id_job_id_index"), table_name="runs")
    op.drop_table("queue_turns")
    op.drop_table("api_keys")
