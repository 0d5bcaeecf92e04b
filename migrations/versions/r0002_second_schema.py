"""What the second release keeps besides: who is alive, and which version of a record was last agreed with. What is due
is found beside any number of unsettled writes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pulse",
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("poll", sa.Double(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("seen", sa.Double(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("holder", name="pk_pulse"),
    )
    op.add_column("mapping", sa.Column("version", sa.Text(), nullable=True))
    op.drop_index("ix_intent_provider_customer_key", table_name="intent")
    op.create_index(
        "ix_intent_provider_customer_key_stage_settle_until",
        "intent",
        ["provider", "customer_key", "stage", "settle_until"],
    )
