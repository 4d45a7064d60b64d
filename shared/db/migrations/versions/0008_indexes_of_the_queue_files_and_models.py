"""indexes of the queue in its order, of files by purpose and expiry, of a run's models

Revision: 0008, after 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_runs_status_job_id_index"), "runs", ["status", "job_id", "index"])
    op.drop_index(op.f("ix_runs_status_id"), table_name="runs")
    op.create_index(op.f("ix_files_owner_id_purpose_id"), "files", ["owner_id", "purpose", "id"])
    op.create_index(op.f("ix_files_expires_at"), "files", ["expires_at"])
    op.create_index(op.f("ix_models_run_id"), "models", ["run_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_models_run_id"), table_name="models")
    op.drop_index(op.f("ix_files_expires_at"), table_name="files")
    op.drop_index(op.f("ix_files_owner_id_purpose_id"), table_name="files")
    op.create_index(op.f("ix_runs_status_id"), "runs", ["status", "id"])
    op.drop_index(op.f("ix_runs_status_job_id_index"), table_name="runs")
