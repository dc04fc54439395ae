"""Results of other tools, unchecked, beside those of kernels."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "external_series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("benchmark", sa.Text(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_series")),
        sa.UniqueConstraint("key", name=op.f("uq_external_series_key")),
    )
    op.create_index(op.f("ix_external_series_benchmark"), "external_series", ["benchmark"])
    op.create_index(op.f("ix_external_series_device"), "external_series", ["device"])
    op.create_table(
        "external_result",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("external_series_id", sa.Integer(), nullable=False),
        sa.Column("measured_at", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("statistic", sa.Text(), nullable=False),
        sa.Column("higher_is_better", sa.Boolean(), nullable=True),
        sa.Column("value_count", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("content_key", sa.Text(), nullable=False),
        sa.Column("repeats", sa.LargeBinary(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["external_series_id"],
            ["external_series.id"],
            name=op.f("fk_external_result_external_series_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_result")),
        sa.UniqueConstraint("key", name=op.f("uq_external_result_key")),
    )
    op.create_index(
        op.f("ix_external_result_external_series_id_measured_at"),
        "external_result",
        ["external_series_id", "measured_at"],
    )
    op.create_index(op.f("ix_external_result_measured_at"), "external_result", ["measured_at"])


def downgrade() -> None:
    op.drop_table("external_result")
    op.drop_table("external_series")
