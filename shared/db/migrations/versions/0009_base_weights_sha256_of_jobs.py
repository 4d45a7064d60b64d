"""digest of the fine-tuned weights that a job starts from

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("base_weights_sha256", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "base_weights_sha256")
