"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "environment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("python", sa.Text(), nullable=False),
        sa.Column("torch", sa.Text(), nullable=False),
        sa.Column("cuda", sa.Text(), nullable=False),
        sa.Column("cudnn", sa.Text(), nullable=False),
        sa.Column("triton", sa.Text(), nullable=False),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("os", sa.Text(), nullable=False),
        sa.Column("libraries", sa.Text(), nullable=False),
        sa.Column("harness", sa.Text(), nullable=False),
        sa.Column("harness_commit", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environment")),
        sa.UniqueConstraint("key", name=op.f("uq_environment_key")),
    )
    op.create_table(
        "hardware",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("cache_bytes", sa.BigInteger(), nullable=True),
        sa.Column("units", sa.BigInteger(), nullable=True),
        sa.Column("compute_capability", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hardware")),
        sa.UniqueConstraint("key", name=op.f("uq_hardware_key")),
    )
    op.create_index(op.f("ix_hardware_model"), "hardware", ["model"], unique=False)
    op.create_table(
        "kernel",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kernel")),
        sa.UniqueConstraint("key", name=op.f("uq_kernel_key")),
    )
    op.create_index(op.f("ix_kernel_name"), "kernel", ["name"], unique=False)
    op.create_table(
        "kernel_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("packages", sa.Text(), nullable=False),
        sa.Column("library", sa.Text(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kernel_file")),
        sa.UniqueConstraint("key", name=op.f("uq_kernel_file_key")),
    )
    op.create_table(
        "problem",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("heads_q", sa.BigInteger(), nullable=False),
        sa.Column("heads_kv", sa.BigInteger(), nullable=False),
        sa.Column("seq_q", sa.BigInteger(), nullable=False),
        sa.Column("seq_k", sa.BigInteger(), nullable=False),
        sa.Column("head_dim_qk", sa.BigInteger(), nullable=False),
        sa.Column("head_dim_v", sa.BigInteger(), nullable=False),
        sa.Column("dtype", sa.Text(), nullable=False),
        sa.Column("kv_dtype", sa.Text(), nullable=False),
        sa.Column("causal", sa.Boolean(), nullable=False),
        sa.Column("window_left", sa.BigInteger(), nullable=True),
        sa.Column("window_right", sa.BigInteger(), nullable=True),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("scale", sa.Double(), nullable=True),
        sa.Column("softcap", sa.Double(), nullable=False),
        sa.Column("sinks", sa.Boolean(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("cache", sa.Text(), nullable=False),
        sa.Column("page_size", sa.BigInteger(), nullable=False),
        sa.Column("lengths", sa.Text(), nullable=False),
        sa.Column("lengths_seed", sa.BigInteger(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_problem")),
        sa.UniqueConstraint("key", name=op.f("uq_problem_key")),
    )
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("source_hash", sa.Text(), nullable=False),
        sa.Column("library", sa.Text(), nullable=False),
        sa.Column("library_version", sa.Text(), nullable=False),
        sa.Column("commit", sa.Text(), nullable=False),
        sa.Column("commit_time", sa.Text(), nullable=False),
        sa.Column("dirty", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
        sa.UniqueConstraint("key", name=op.f("uq_revision_key")),
    )
    op.create_table(
        "store_info",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_store_info")),
    )
    op.create_table(
        "sweep",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("overrides", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("harness", sa.Text(), nullable=False),
        sa.Column("jobs", sa.BigInteger(), nullable=False),
        sa.Column("launches", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sweep")),
        sa.UniqueConstraint("key", name=op.f("uq_sweep_key")),
    )
    op.create_table(
        "timing",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timing")),
        sa.UniqueConstraint("key", name=op.f("uq_timing_key")),
    )
    op.create_table(
        "device",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("hardware_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hardware_id"], ["hardware.id"], name=op.f("fk_device_hardware_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("key", name=op.f("uq_device_key")),
    )
    op.create_index(op.f("ix_device_hardware_id"), "device", ["hardware_id"], unique=False)
    op.create_index(op.f("ix_device_uuid"), "device", ["uuid"], unique=False)
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kernel_id", sa.Integer(), nullable=False),
        sa.Column("problem_id", sa.Integer(), nullable=False),
        sa.Column("gpu", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["kernel_id"], ["kernel.id"], name=op.f("fk_job_kernel_id")),
        sa.ForeignKeyConstraint(["problem_id"], ["problem.id"], name=op.f("fk_job_problem_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("key", name=op.f("uq_job_key")),
    )
    op.create_index(op.f("ix_job_gpu"), "job", ["gpu"], unique=False)
    op.create_index(op.f("ix_job_kernel_id"), "job", ["kernel_id"], unique=False)
    op.create_index(op.f("ix_job_problem_id"), "job", ["problem_id"], unique=False)
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kernel_id", sa.Integer(), nullable=False),
        sa.Column("problem_id", sa.Integer(), nullable=False),
        sa.Column("device_model", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["kernel_id"], ["kernel.id"], name=op.f("fk_series_kernel_id")),
        sa.ForeignKeyConstraint(["problem_id"], ["problem.id"], name=op.f("fk_series_problem_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("key", name=op.f("uq_series_key")),
    )
    op.create_index(op.f("ix_series_device_model"), "series", ["device_model"], unique=False)
    op.create_index(op.f("ix_series_kernel_id"), "series", ["kernel_id"], unique=False)
    op.create_index(op.f("ix_series_problem_id"), "series", ["problem_id"], unique=False)
    op.create_table(
        "result",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sweep_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=True),
        sa.Column("kernel_file_id", sa.Integer(), nullable=False),
        sa.Column("timing_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=True),
        sa.Column("environment_id", sa.Integer(), nullable=True),
        sa.Column("revision_id", sa.Integer(), nullable=True),
        sa.Column("launch", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("workload", sa.Text(), nullable=False),
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("sample_count", sa.BigInteger(), nullable=False),
        sa.Column("median_ms", sa.Double(), nullable=True),
        sa.Column("low_ms", sa.Double(), nullable=True),
        sa.Column("high_ms", sa.Double(), nullable=True),
        sa.Column("calls_per_sample", sa.BigInteger(), nullable=False),
        sa.Column("stop_reason", sa.Text(), nullable=False),
        sa.Column("setup_ms", sa.Double(), nullable=True),
        sa.Column("first_call_ms", sa.Double(), nullable=True),
        sa.Column("warmup_calls", sa.BigInteger(), nullable=False),
        sa.Column("max_error", sa.Double(), nullable=True),
        sa.Column("rmse_ratio", sa.Double(), nullable=True),
        sa.Column("cosine", sa.Double(), nullable=True),
        sa.Column("baseline_max_error", sa.Double(), nullable=True),
        sa.Column("gate", sa.Text(), nullable=True),
        sa.Column("checked_share", sa.Double(), nullable=True),
        sa.Column("peak_bytes", sa.BigInteger(), nullable=True),
        sa.Column("memory_source", sa.Text(), nullable=True),
        sa.Column("flops", sa.BigInteger(), nullable=True),
        sa.Column("min_bytes", sa.BigInteger(), nullable=True),
        sa.Column("cost_model", sa.Text(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("content_key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_result_device_id")),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_result_environment_id")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_result_job_id")),
        sa.ForeignKeyConstraint(
            ["kernel_file_id"], ["kernel_file.id"], name=op.f("fk_result_kernel_file_id")
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revision.id"], name=op.f("fk_result_revision_id")
        ),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_result_series_id")),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], name=op.f("fk_result_sweep_id")),
        sa.ForeignKeyConstraint(["timing_id"], ["timing.id"], name=op.f("fk_result_timing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_result")),
        sa.UniqueConstraint(
            "sweep_id",
            "job_id",
            "launch",
            "attempt",
            name=op.f("uq_result_sweep_id_job_id_launch_attempt"),
        ),
    )
    op.create_index(op.f("ix_result_device_id"), "result", ["device_id"], unique=False)
    op.create_index(op.f("ix_result_environment_id"), "result", ["environment_id"], unique=False)
    op.create_index(op.f("ix_result_job_id"), "result", ["job_id"], unique=False)
    op.create_index(op.f("ix_result_kernel_file_id"), "result", ["kernel_file_id"], unique=False)
    op.create_index(op.f("ix_result_revision_id"), "result", ["revision_id"], unique=False)
    op.create_index(
        op.f("ix_result_series_id_started_at"), "result", ["series_id", "started_at"], unique=False
    )
    op.create_index(op.f("ix_result_timing_id"), "result", ["timing_id"], unique=False)
    op.create_table(
        "sample",
        sa.Column("result_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("times_ms", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["result_id"], ["result.id"], name=op.f("fk_sample_result_id")),
        sa.PrimaryKeyConstraint("result_id", name=op.f("pk_sample")),
    )


def downgrade() -> None:
    op.drop_table("sample")
    op.drop_index(op.f("ix_result_timing_id"), table_name="result")
    op.drop_index(op.f("ix_result_series_id_started_at"), table_name="result")
    op.drop_index(op.f("ix_result_revision_id"), table_name="result")
    op.drop_index(op.f("ix_result_kernel_file_id"), table_name="result")
    op.drop_index(op.f("ix_result_job_id"), table_name="result")
    op.drop_index(op.f("ix_result_environment_id"), table_name="result")
    op.drop_index(op.f("ix_result_device_id"), table_name="result")
    op.drop_table("result")
    op.drop_index(op.f("ix_series_problem_id"), table_name="series")
    op.drop_index(op.f("ix_series_kernel_id"), table_name="series")
    op.drop_index(op.f("ix_series_device_model"), table_name="series")
    op.drop_table("series")
    op.drop_index(op.f("ix_job_problem_id"), table_name="job")
    op.drop_index(op.f("ix_job_kernel_id"), table_name="job")
    op.drop_index(op.f("ix_job_gpu"), table_name="job")
    op.drop_table("job")
    op.drop_index(op.f("ix_device_uuid"), table_name="device")
    op.drop_index(op.f("ix_device_hardware_id"), table_name="device")
    op.drop_table("device")
    op.drop_table("timing")
    op.drop_table("sweep")
    op.drop_table("store_info")
    op.drop_table("revision")
    op.drop_table("problem")
    op.drop_table("kernel_file")
    op.drop_index(op.f("ix_kernel_name"), table_name="kernel")
    op.drop_table("kernel")
    op.drop_index(op.f("ix_hardware_model"), table_name="hardware")
    op.drop_table("hardware")
    op.drop_table("environment")
