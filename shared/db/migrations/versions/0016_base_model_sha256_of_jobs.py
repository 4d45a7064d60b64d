"""the digest of the base model that the runs of a job start from

Revision: 0016, after 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("base_model_sha256", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "base_model_sha256")
