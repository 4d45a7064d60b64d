"""the receivers of webhook deliveries, and until when an attempt holds one

Revision: 0015, after 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhook_deliveries", sa.Column("receiver", sa.Text(), nullable=True))
    op.add_column("webhook_deliveries", sa.Column("leased_until", sa.Double(), nullable=True))
    op.create_index(
        op.f("ix_webhook_deliveries_receiver_leased_until"),
        "webhook_deliveries",
        ["receiver", "leased_until"],
    )


def downgrade() -> None:
    op.drop_index(
        op.f("ix_webhook_deliveries_receiver_leased_until"), table_name="webhook_deliveries"
    )
    op.drop_column("webhook_deliveries", "leased_until")
    op.drop_column("webhook_deliveries", "receiver")
