"""request_sha256 of jobs

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEX = "ix_jobs_owner_id_request_sha256_created_at"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("request_sha256", sa.Text(), nullable=True))
    op.create_index(op.f(INDEX), "jobs", ["owner_id", "request_sha256", "created_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f(INDEX), table_name="jobs")
    op.drop_column("jobs", "request_sha256")
