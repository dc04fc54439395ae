"""The tables. Facts that repeat stand once, in dimensions; a result has their ids and its figures.

    sweep ─┐            kernel ─┬─ job ────┐
           │            problem ┘          │
           ├─ result ───┬─ series ─────────┤        hardware ── device ─┐
           │            ├─ kernel_file, timing, environment, revision ──┘
           └─ sample (the raw times, one blob a result)

What people add stands beside the results and changes none of them: ``tag`` (of a sweep),
``exclusion`` (of a result), ``baseline`` (of a series), ``triage`` (of an event in the history),
and ``audit``, which says what was changed, when, by whom and why. ``external_result`` and
``external_series`` are what other tools measured: unchecked, and so in no table that speaks of
kernels.

Only column types that every engine has; JSON is text that ``canonical_json`` wrote. Every dimension
has a ``key``, the hash of what it says, so that two machines give one fact one identity whatever
ids their databases count. Foreign keys are indexed by hand: Postgres makes no index for them
(mlflow#3785), and samples hang on a narrow id, not on a wide natural key (mlflow#12813).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

HEAD = "0004"
"""The newest migration: what this attnbench reads and writes. A test compares it with Alembic's."""

VERSION_TABLE = "attnbench_schema"
"""Where Alembic notes the schema's revision. Its presence is what makes a database a store."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _key() -> Column[str]:
    return Column("key", Text, nullable=False, unique=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _count(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _real(name: str, *, nullable: bool = True) -> Column[float]:
    return Column(name, Double, nullable=nullable)


def _ref(table: str, *, nullable: bool = False, index: bool = True) -> Column[int]:
    target = ForeignKey(f"{table}.id")
    return Column(f"{table}_id", Integer, target, nullable=nullable, index=index)


store_info = Table(
    "store_info", metadata, Column("name", Text, primary_key=True), Column("value", Text)
)
"""Facts about the database: ``schema_writer``, the attnbench that last changed its schema."""

sweep = Table(
    "sweep",
    metadata,
    _id(),
    _key(),  # Sweep.id, the text that people and records use
    _text("name"),
    _text("command"),
    _text("overrides"),  # JSON list
    _text("started_at"),
    _text("host"),
    _text("harness"),
    _count("jobs"),
    _count("launches"),
    _text("state"),  # running, done, interrupted or failed
    _text("finished_at"),  # "" while it runs
)

kernel = Table(
    "kernel",
    metadata,
    _id(),
    _key(),  # Kernel.id
    _text("operator"),
    Column("name", Text, nullable=False, index=True),
    _text("options"),  # JSON object
)

kernel_file = Table(
    "kernel_file",  # where a kernel's code was found: not identity, but part of what a record says
    metadata,
    _id(),
    _key(),
    _text("file"),
    _text("packages"),  # JSON list
    _text("library"),
    _text("extra"),
    _text("folder"),
)

timing = Table("timing", metadata, _id(), _key(), _text("mode"), _text("settings"))  # JSON object

problem = Table(
    "problem",
    metadata,
    _id(),
    _key(),  # Problem.key
    _text("operator"),
    _count("batch"),
    _count("heads_q"),
    _count("heads_kv"),
    _count("seq_q"),
    _count("seq_k"),
    _count("head_dim_qk"),
    _count("head_dim_v"),
    _text("dtype"),
    _text("kv_dtype"),
    Column("causal", Boolean, nullable=False),
    _count("window_left", nullable=True),
    _count("window_right", nullable=True),
    _text("pattern"),
    _real("scale"),
    _real("softcap", nullable=False),
    Column("sinks", Boolean, nullable=False),
    _text("direction"),
    _text("cache"),
    _count("page_size"),
    _text("lengths"),
    _count("lengths_seed"),
    _text("params"),  # JSON object
)

hardware = Table(
    "hardware",  # a model of device, apart from the boards, so that boards of one model compare
    metadata,
    _id(),
    _key(),
    Column("model", Text, nullable=False, index=True),
    _text("kind"),
    _count("memory_bytes", nullable=True),
    _count("cache_bytes", nullable=True),
    _count("units", nullable=True),
    _real("compute_capability"),
)

device = Table(
    "device",
    metadata,
    _id(),
    _key(),
    Column("uuid", Text, nullable=False, index=True),
    _text("host"),
    _ref("hardware"),
)

environment = Table(
    "environment",
    metadata,
    _id(),
    _key(),  # Environment.key
    _text("python"),
    _text("torch"),
    _text("cuda"),
    _text("cudnn"),
    _text("triton"),
    _text("driver"),
    _text("os"),
    _text("libraries"),  # JSON object
    _text("harness"),
    _text("harness_commit"),
)

revision = Table(
    "revision",
    metadata,
    _id(),
    _key(),  # Revision.key
    _text("source_hash"),
    _text("library"),
    _text("library_version"),
    _text("commit"),
    _text("commit_time"),
    Column("dirty", Boolean, nullable=False),
)

job = Table(
    "job",
    metadata,
    _id(),
    _key(),  # Record.job_key
    _ref("kernel"),
    _ref("problem"),
    Column("gpu", Text, nullable=False, index=True),
    _text("mode"),
)

series = Table(
    "series",
    metadata,
    _id(),
    _key(),  # Record.series_key
    _ref("kernel"),
    _ref("problem"),
    # The model, not a hardware row: that is what the key hashes, and one model may have several
    # hardware rows (a driver that reserves other memory reports another size).
    Column("device_model", Text, nullable=False, index=True),
    _text("mode"),
)

result = Table(
    "result",
    metadata,
    _id(),
    _ref("sweep", index=False),  # leads the unique constraint
    _ref("job"),
    _ref("series", nullable=True, index=False),  # leads ix_result_series_id_started_at
    _ref("kernel_file"),
    _ref("timing"),
    _ref("device", nullable=True),
    _ref("environment", nullable=True),
    _ref("revision", nullable=True),
    _count("launch"),
    _count("attempt"),
    _text("status"),
    _text("workload"),
    _text("experiment"),
    _text("started_at"),
    _real("duration_s", nullable=False),
    # Derived from the samples when the row is written: lists, histories and comparisons need no
    # blob, and pruned samples leave them.
    _count("sample_count"),
    _real("median_ms"),
    _real("low_ms"),
    _real("high_ms"),
    _count("calls_per_sample"),
    _text("stop_reason"),
    _real("setup_ms"),
    _real("first_call_ms"),
    _count("warmup_calls"),
    # Accuracy: all NULL where nothing was compared (then `gate` is NULL).
    _real("max_error"),
    _real("rmse_ratio"),
    _real("cosine"),
    _real("baseline_max_error"),
    Column("gate", Text),
    _real("checked_share"),
    # Memory: all NULL where no pass was made (then `memory_source` is NULL).
    _count("peak_bytes", nullable=True),
    Column("memory_source", Text),
    _count("flops", nullable=True),
    _count("min_bytes", nullable=True),
    _text("cost_model"),
    _text("flags"),  # JSON list
    _text("conditions"),  # JSON object
    _text("content_key"),  # Record.content_key as it was delivered
    _text("reason"),
    _text("log"),  # last: it may be long, and SQLite reads a row's columns in order
    UniqueConstraint("sweep_id", "job_id", "launch", "attempt"),
    Index(None, "series_id", "started_at"),
)

sample = Table(
    "sample",
    metadata,
    Column("result_id", Integer, ForeignKey("result.id"), primary_key=True, autoincrement=False),
    Column("times_ms", LargeBinary, nullable=False),  # little-endian float64, in the order measured
)

tag = Table(
    "tag",
    metadata,
    _id(),
    _ref("sweep", index=False),  # leads the unique constraint
    Column("name", Text, nullable=False, index=True),
    _text("tagged_at"),
    UniqueConstraint("sweep_id", "name"),
)
"""Names that people give to sweeps: ``release-1.2``, ``before-the-upgrade``."""

exclusion = Table(
    "exclusion",
    metadata,
    Column("result_id", Integer, ForeignKey("result.id"), primary_key=True, autoincrement=False),
    _text("reason"),
    _text("excluded_at"),
)
"""Results that analysis ignores. They are kept, and say why."""

baseline = Table(
    "baseline",
    metadata,
    _id(),
    _ref("series", index=False),  # leads the unique constraint
    _text("starts_at"),  # history before this moment is no longer what new results are held to
    _text("reason"),
    UniqueConstraint("series_id", "starts_at"),
)
"""Moments from which a series' history counts anew; the latest one does."""

audit = Table(
    "audit",
    metadata,
    _id(),
    _key(),  # hash of all that follows, so that a merge brings each entry once
    Column("at", Text, nullable=False, index=True),  # ISO 8601 UTC
    _text("actor"),  # user@host
    _text("action"),  # prune, exclude, include, reset-baseline, tag, untag, delete-sweep, merge …
    _text("subject"),  # what it was done to, in words
    _text("reason"),
    _text("details"),  # JSON object: counts and keys
)
"""Every change of history: when, by whom, what, why."""

triage = Table(
    "triage",
    metadata,
    _id(),
    _key(),  # hash of all that follows, so that a merge brings each entry once
    Column("event", Text, nullable=False, index=True),  # its key: events are found anew each time
    _text("sweep"),  # by its id, not by reference: the sweep may be deleted, or in another store
    _text("at"),  # ISO 8601 UTC
    _text("actor"),  # user@host
    _text("state"),  # new, acknowledged, expected, fixed or ignored
    _text("note"),
    _text("links"),  # JSON list
    _text("moves"),  # JSON list of series, metric, direction, ratio
)
"""What people say of events. Entries are only added; the newest of an event says its state."""

external_series = Table(
    "external_series",
    metadata,
    _id(),
    _key(),  # External.series_key
    Column("benchmark", Text, nullable=False, index=True),
    _text("params"),  # JSON object
    _text("measure"),
    _text("unit"),
    Column("device", Text, nullable=False, index=True),
)
"""What other tools measured again and again."""

external_result = Table(
    "external_result",
    metadata,
    _id(),
    _key(),  # External.key
    _ref("external_series", index=False),  # leads ix_external_result_external_series_id_measured_at
    Column("measured_at", Text, nullable=False, index=True),
    _text("version"),
    _text("source"),
    _text("origin"),
    _text("statistic"),
    Column("higher_is_better", Boolean),
    # Derived from the values when the row is written.
    _count("value_count"),
    _real("value", nullable=False),
    _real("low"),
    _real("high"),
    _text("content_key"),  # External.content_key
    Column("repeats", LargeBinary, nullable=False),  # little-endian float64, in the order measured
    _text("metadata"),  # JSON object
    Index(None, "external_series_id", "measured_at"),
)
"""One benchmark of one run of another tool. Never checked against an oracle."""
