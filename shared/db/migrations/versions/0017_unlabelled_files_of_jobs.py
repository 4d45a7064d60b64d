"""the unlabelled texts that a job distills its ensemble on

Revision: 0017, after 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("unlabelled_file", sa.Text(), nullable=True))
    op.create_index(op.f("ix_jobs_unlabelled_file"), "jobs", ["unlabelled_file"])


def downgrade() -> None:
    op.drop_index(op.f("ix_jobs_unlabelled_file"), table_name="jobs")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("unlabelled_file")
