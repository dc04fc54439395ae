"""The shape of a composed config: what every key is called, its type and its default.

Hydra validates every yaml and every override against these. They mirror the nouns of harness.model;
a test holds that no field of a noun is missing here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

SCHEMA_NAME = "attnbench_schema"
"""What conf/config.yaml names first in its defaults list."""


@dataclass
class LimitsConf:
    """Mirrors ``harness.model.Limits``: what a kernel can do on one kind of device."""

    dtypes: list[str] = MISSING
    masks: list[str] = field(default_factory=lambda: ["full"])
    directions: list[str] = field(default_factory=lambda: ["forward"])
    kv_dtypes: list[str] = field(default_factory=list)
    head_dim_min: int | None = None
    head_dim_max: int | None = None
    head_dims: list[int] | None = None
    head_dim_multiple: int = 1
    head_dim_v_differs: bool = True
    gqa: bool = True
    cross: bool = True
    seq_max: int | None = None
    seq_k_multiple: int = 1
    softcap: bool = False
    sinks: bool = False
    alibi: bool = False
    caches: list[str] = field(default_factory=lambda: [""])
    page_size_multiple: int = 1
    uneven_lengths: bool = False
    compute_capability_min: float | None = None
    compute_capability_max: float | None = None


@dataclass
class KernelConf:
    """Mirrors ``harness.model.Kernel``; ``limits`` by kind of device: cpu, cuda, rocm."""

    name: str = MISSING
    operator: str = "attention"
    file: str = MISSING
    options: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, LimitsConf] = field(default_factory=dict)
    packages: list[str] = field(default_factory=list)
    programs: list[str] = field(default_factory=list)
    quantised: bool = False
    library: str = ""
    extra: str = ""
    description: str = ""


@dataclass
class WorkloadConf:
    """The shape of a problem. ``seq_len`` sets both lengths that seq_q and seq_k leave open."""

    name: str = MISSING
    description: str = ""
    source: str = ""
    operator: str = "attention"
    batch: int = 1
    heads_q: int = MISSING
    heads_kv: int | None = None
    seq_len: int | None = None
    seq_q: int | None = None
    seq_k: int | None = None
    head_dim: int = MISSING
    head_dim_v: int | None = None
    causal: bool = False
    window_left: int | None = None
    window_right: int | None = None
    pattern: str = ""
    softcap: float = 0.0
    sinks: bool = False
    alibi: bool = False
    scale: float | None = None
    kv_dtype: str = ""
    cache: str = ""
    page_size: int = 0
    lengths: str = ""
    lengths_seed: int = 0
    params: dict[str, Any] = field(default_factory=dict)


@dataclass
class GpuConf:
    """Mirrors ``harness.model.Gpu``. The names ``local`` and ``all`` stand for what is there."""

    name: str = MISSING
    kind: str = "cuda"
    vendor: str = ""
    peak_tflops: dict[str, float] = field(default_factory=dict)
    bandwidth_gb_s: float | None = None
    memory_gb: float | None = None
    l2_mb: float | None = None
    sm_count: int | None = None
    power_w: float | None = None
    compute_capability: float | None = None
    ray_accelerator_type: str = ""
    device_name_pattern: str = ""
    memory_gib_range: list[float] | None = None
    source: str = ""
    source_date: str = ""
    threads: int | None = None
    price_per_hour: float | None = None


@dataclass
class TimingConf:
    """Mirrors ``harness.model.Timing``."""

    description: str = ""
    mode: str = "cold"
    launches: int = 3
    warmup_s: float = 0.2
    min_samples: int = 10
    min_time_s: float = 0.2
    max_samples: int = 10_000
    budget_s: float = 5.0
    relative_ci: float = 0.01
    timeout_s: float = 300.0
    seed: int = 0
    memory_pass: bool = True
    energy: bool = False


@dataclass
class StoreConf:
    """Where records go: any SQLAlchemy URL of SQLite or Postgres."""

    name: str = MISSING
    url: str = MISSING


@dataclass
class ClusterConf:
    """Which machines measure."""

    name: str = MISSING
    dispatcher: str = "ray"
    """ray, or inline: in this very process, for debugging."""
    address: str | None = None
    """Of a running Ray cluster; null starts Ray on this machine for the sweep."""
    wait_s: float = 0.0
    """Wait this long for a GPU that no node has yet (clusters that grow), s."""
    retries: int = 2
    """Give a job whose worker or node was lost to another one, at most this often."""
    crash_retries: int = 1
    """Run a job whose kernel crashed again, at most this often; every attempt is kept."""
    set_aside_after: int = 5
    """A kernel that fails this often in a row on a board is left out there; 0: never."""
    fail_fast: bool = False
    """End the sweep with the first job that fails."""


@dataclass
class ExperimentConf:
    """A named matrix; conf/experiment/quickstart.yaml shows all of it."""

    name: str = ""
    description: str = ""
    axes: dict[str, Any] = field(default_factory=dict)
    exclude: list[Any] = field(default_factory=list)
    include: list[Any] = field(default_factory=list)


@dataclass
class GateConf:
    """Mirrors ``harness.config.gate.GateSettings``; read apart from the composed cells."""

    name: str = MISSING
    description: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    kernels: dict[str, dict[str, float]] = field(default_factory=dict)
    false_discoveries: float = 0.05
    unknown_share: float = 0.0


@dataclass
class RootConfig:
    """One composed cell."""

    kernel: KernelConf = field(default_factory=KernelConf)
    workload: WorkloadConf = field(default_factory=WorkloadConf)
    gpu: GpuConf = field(default_factory=GpuConf)
    timing: TimingConf = field(default_factory=TimingConf)
    store: StoreConf = field(default_factory=StoreConf)
    cluster: ClusterConf = field(default_factory=ClusterConf)
    experiment: ExperimentConf = field(default_factory=ExperimentConf)
    dtype: str = "bf16"
    direction: str = "forward"


def register() -> None:
    """Make the schema known to Hydra; harmless when repeated."""
    ConfigStore.instance().store(name=SCHEMA_NAME, node=RootConfig, provider="attnbench")
