"""the model of the hub that a job starts from, and whether it is still to be downloaded

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("hub_model", sa.JSON(), nullable=True))
    op.add_column(
        "jobs",
        sa.Column("awaits_model", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("jobs", "awaits_model")
    op.drop_column("jobs", "hub_model")
