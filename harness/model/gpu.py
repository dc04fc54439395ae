"""Gpu: the facts about one model of hardware. The CPU is a device too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

CPU = "cpu"


@dataclass(frozen=True)
class Gpu:
    """Datasheet facts. An unknown figure is None, and then no share of a peak is ever shown."""

    name: str
    """Short name as in conf/gpu, e.g. ``h100_sxm``; ``cpu`` for the processor."""
    kind: str = "cuda"
    """Which limits of a kernel apply: cpu, cuda or rocm."""
    vendor: str = ""
    """nvidia, amd …"""
    peak_tflops: tuple[tuple[str, float], ...] = ()
    """Dense peak by dtype with fp32 accumulation, in TFLOP/s."""
    bandwidth_gb_s: float | None = None
    """Memory bandwidth, GB/s (10^9)."""
    memory_gb: float | None = None
    """Memory, GB (10^9)."""
    l2_mb: float | None = None
    """Last-level cache, MB."""
    sm_count: int | None = None
    """Streaming multiprocessors or compute units."""
    power_w: float | None = None
    """Board power limit by default, W."""
    compute_capability: float | None = None
    """CUDA compute capability, e.g. 9.0."""
    ray_accelerator_type: str = ""
    """How Ray labels a node that has it; several models can share a label."""
    device_name_pattern: str = ""
    """Regular expression that the driver's device name matches (case ignored)."""
    memory_gib_range: tuple[float, float] | None = None
    """Reported memory lies in this range, GiB; tells models apart that share a name."""
    source: str = ""
    """Where the figures are from."""
    source_date: str = ""
    """When they were read there, ISO date."""
    threads: int | None = None
    """CPU only: threads to compute with; None: every core this process may use."""
    price_per_hour: float | None = None
    """What an hour of it costs you, in one currency for all; None where nobody said."""

    def peak(self, dtype: str) -> float | None:
        """Peak TFLOP/s for a problem's dtype, None where no figure is known."""
        return dict(self.peak_tflops).get(dtype)

    def matches(self, device_name: str, memory_gib: float | None) -> bool:
        """Whether a device that reports this name and memory is this model."""
        if not self.device_name_pattern:
            return False
        if not re.search(self.device_name_pattern, device_name, re.IGNORECASE):
            return False
        if self.memory_gib_range is None or memory_gib is None:
            return True
        low, high = self.memory_gib_range
        return low <= memory_gib <= high

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``from_dict`` is the inverse."""
        out = {name: getattr(self, name) for name in self.__dataclass_fields__}
        out["peak_tflops"] = dict(self.peak_tflops)
        out["memory_gib_range"] = list(self.memory_gib_range) if self.memory_gib_range else None
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Gpu:
        """Inverse of ``to_dict``; also takes the composed yaml of conf/gpu."""
        data = dict(data)
        peaks = data.get("peak_tflops") or {}
        data["peak_tflops"] = tuple(
            sorted((k, float(v)) for k, v in peaks.items() if v is not None)
        )
        bounds = data.get("memory_gib_range")
        data["memory_gib_range"] = (float(bounds[0]), float(bounds[1])) if bounds else None
        return cls(**data)


def slug(device_name: str) -> str:
    """A name for a device that no yaml describes: ``NVIDIA L20`` → ``nvidia_l20``."""
    return re.sub(r"[^a-z0-9]+", "_", device_name.lower()).strip("_")
