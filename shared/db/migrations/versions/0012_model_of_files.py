"""properties of uploaded checkpoints

Revision: 0012, after 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("files", sa.Column("model", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("files", "model")
