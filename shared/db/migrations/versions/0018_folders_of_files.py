"""files that are a zip file of a stored folder

Revision: 0018, after 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("files", sa.Column("folder", sa.Text(), nullable=True))
    op.add_column("files", sa.Column("zip_outline", sa.JSON(), nullable=True))
    op.create_index(op.f("ix_files_folder"), "files", ["folder"])


def downgrade() -> None:
    op.drop_index(op.f("ix_files_folder"), table_name="files")
    with op.batch_alter_table("files") as files:
        files.drop_column("zip_outline")
        files.drop_column("folder")
