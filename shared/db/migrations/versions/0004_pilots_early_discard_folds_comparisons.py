"""pilots, early discard, folds, test files, comparisons

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "comparisons",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparisons")),
    )
    op.create_index(op.f("ix_comparisons_owner_id_id"), "comparisons", ["owner_id", "id"])
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("resolved_recipe", existing_type=sa.JSON(), nullable=True)
        jobs.add_column(sa.Column("test_file", sa.Text(), nullable=True))
        jobs.add_column(sa.Column("pilots", sa.JSON(), nullable=True))
        jobs.add_column(sa.Column("early_discard", sa.JSON(), nullable=True))
    op.create_index(op.f("ix_jobs_test_file"), "jobs", ["test_file"])
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("fold", sa.Integer(), nullable=True))
        runs.add_column(sa.Column("recipe", sa.JSON(), nullable=True))
        runs.add_column(sa.Column("held", sa.Boolean(), server_default=sa.false(), nullable=False))
        runs.add_column(sa.Column("stop_step", sa.BigInteger(), nullable=True))
        runs.add_column(sa.Column("state", sa.Text(), nullable=True))
    op.drop_index(op.f("ix_runs_job_id_index"), table_name="runs")
    op.create_index(
        op.f("ix_runs_job_id_purpose_index"), "runs", ["job_id", "purpose", "index"], unique=True
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_runs_job_id_purpose_index"), table_name="runs")
    op.create_index(op.f("ix_runs_job_id_index"), "runs", ["job_id", "index"], unique=True)
    with op.batch_alter_table("runs") as runs:
        for name in ("state", "stop_step", "held", "recipe", "fold"):
            runs.drop_column(name)
    op.drop_index(op.f("ix_jobs_test_file"), table_name="jobs")
    with op.batch_alter_table("jobs") as jobs:
        for name in ("early_discard", "pilots", "test_file"):
            jobs.drop_column(name)
        jobs.alter_column("resolved_recipe", existing_type=sa.JSON(), nullable=False)
    op.drop_index(op.f("ix_comparisons_owner_id_id"), table_name="comparisons")
    op.drop_table("comparisons")
