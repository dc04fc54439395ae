"""Where a number was made: the device, the software around the kernel, the kernel's version."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from harness.model.identity import digest


@dataclass(frozen=True)
class Device:
    """One physical device, as it reports itself. Boards of one model differ by 5–9 %."""

    model: str
    """Its model, e.g. ``NVIDIA H200`` or ``AMD EPYC 9V74, 2 threads``: part of the series."""
    kind: str
    """cpu, cuda or rocm."""
    uuid: str
    """Of the board (NVML) or, for a CPU, of the machine; survives reboots."""
    host: str
    """Host name of its node."""
    memory_bytes: int | None = None
    """Its memory."""
    cache_bytes: int | None = None
    """Its last-level cache, as it reports it."""
    units: int | None = None
    """Streaming multiprocessors of a GPU, threads used of a CPU."""
    compute_capability: float | None = None
    """CUDA compute capability."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Device:
        """Inverse of ``to_dict``."""
        return cls(**data)


@dataclass(frozen=True)
class Environment:
    """The software a number depends on, apart from the kernel itself. "" is "not there"."""

    python: str = ""
    """Python version."""
    torch: str = ""
    """torch version with its build tag."""
    cuda: str = ""
    """CUDA version torch was built for."""
    cudnn: str = ""
    """cuDNN version."""
    triton: str = ""
    """Triton version."""
    driver: str = ""
    """NVIDIA driver version."""
    os: str = ""
    """Operating system kernel and release."""
    libraries: tuple[tuple[str, str], ...] = ()
    """Versions of other libraries the kernels of the sweep need, sorted by name."""
    harness: str = ""
    """attnbench's own version."""
    harness_commit: str = ""
    """attnbench's own commit, with ``-dirty`` where the tree has changes."""

    @cached_property
    def key(self) -> str:
        """Identity of this set of versions."""
        return digest(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        out = {f.name: getattr(self, f.name) for f in fields(self)}
        out["libraries"] = dict(self.libraries)
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Environment:
        """Inverse of ``to_dict``."""
        data = dict(data)
        data["libraries"] = tuple(sorted((data.get("libraries") or {}).items()))
        return cls(**data)


@dataclass(frozen=True)
class Revision:
    """Which version of a kernel ran: its source's hash, and where that source stands in history."""

    source_hash: str
    """SHA-256 (hex) over its file, or over every file of its folder where it is a folder."""
    library: str = ""
    """Distribution it wraps, "" for code of its own."""
    library_version: str = ""
    """That distribution's version."""
    commit: str = ""
    """Commit of the repository its file lies in; "" outside a repository."""
    commit_time: str = ""
    """When that commit was made, ISO 8601 UTC."""
    dirty: bool = False
    """Its file differs from that commit."""

    @cached_property
    def key(self) -> str:
        """Identity of this revision."""
        return digest(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Revision:
        """Inverse of ``to_dict``."""
        return cls(**data)
