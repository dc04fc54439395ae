"""Kernel: an implementation of an operator, and the limits it states without being imported."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.model.gpu import Gpu
from harness.model.identity import digest
from harness.model.problem import Params, Problem, params_of
from harness.model.programs import find_program


@dataclass(frozen=True)
class Limits:
    """What a kernel can do on one kind of device, as its yaml states it. None: no limit known."""

    dtypes: tuple[str, ...]
    """Element types it takes."""
    masks: tuple[str, ...] = ("full",)
    """Kinds of mask (``Problem.mask``) it computes natively."""
    directions: tuple[str, ...] = ("forward",)
    """Directions it has."""
    kv_dtypes: tuple[str, ...] = ()
    """Key/value types other than its dtype that it takes."""
    head_dim_min: int | None = None
    """Smallest head dim, of queries and of values."""
    head_dim_max: int | None = None
    """Largest head dim, of queries and of values."""
    head_dims: tuple[int, ...] | None = None
    """The only head dims it takes."""
    head_dim_multiple: int = 1
    """Head dims are a multiple of this."""
    head_dim_v_differs: bool = True
    """Values may have another head dim than keys."""
    gqa: bool = True
    """Fewer key/value heads than query heads."""
    cross: bool = True
    """Query and key lengths may differ."""
    seq_max: int | None = None
    """Longest sequence, of queries or keys."""
    seq_k_multiple: int = 1
    """There are a multiple of these keys."""
    softcap: bool = False
    """Computes a softcap."""
    sinks: bool = False
    """Computes attention sinks."""
    alibi: bool = False
    """Computes ALiBi's bias."""
    caches: tuple[str, ...] = ("",)
    """KV-cache layouts; "" is none."""
    page_size_multiple: int = 1
    """Pages of a paged cache hold a multiple of these tokens."""
    uneven_lengths: bool = False
    """Sequences of a batch may have different lengths."""
    compute_capability_min: float | None = None
    """Lowest CUDA compute capability, e.g. 8.0."""
    compute_capability_max: float | None = None
    """Highest CUDA compute capability."""

    def refusal(self, problem: Problem, gpu: Gpu) -> str | None:
        """The first reason why ``problem`` lies outside these limits on ``gpu``, or None."""
        p = problem
        if p.dtype not in self.dtypes:
            return f"dtype {p.dtype} not among {', '.join(self.dtypes)}"
        if p.kv_dtype and p.kv_dtype not in self.kv_dtypes:
            return f"key/value dtype {p.kv_dtype} not among {', '.join(self.kv_dtypes) or 'none'}"
        if p.direction not in self.directions:
            return f"direction {p.direction} not among {', '.join(self.directions)}"
        if p.mask not in self.masks:
            return f"mask {p.mask} not among {', '.join(self.masks)}"
        for dim in (p.head_dim_qk, p.head_dim_v):
            if self.head_dim_min is not None and dim < self.head_dim_min:
                return f"head dim {dim} below {self.head_dim_min}"
            if self.head_dim_max is not None and dim > self.head_dim_max:
                return f"head dim {dim} above {self.head_dim_max}"
            if self.head_dims is not None and dim not in self.head_dims:
                return f"head dim {dim} not among {', '.join(map(str, self.head_dims))}"
            if dim % self.head_dim_multiple:
                return f"head dim {dim} not a multiple of {self.head_dim_multiple}"
        if p.head_dim_v != p.head_dim_qk and not self.head_dim_v_differs:
            return f"value head dim {p.head_dim_v} differs from {p.head_dim_qk}"
        if p.group != 1 and not self.gqa:
            return f"{p.heads_kv} key/value heads for {p.heads_q} query heads (no GQA)"
        if p.seq_q != p.seq_k and not self.cross:
            return f"query length {p.seq_q} differs from key length {p.seq_k}"
        if self.seq_max is not None and max(p.seq_q, p.seq_k) > self.seq_max:
            return f"length {max(p.seq_q, p.seq_k)} above {self.seq_max}"
        if p.seq_k % self.seq_k_multiple:
            return f"key length {p.seq_k} not a multiple of {self.seq_k_multiple}"
        if p.softcap and not self.softcap:
            return "softcap not computed"
        if p.sinks and not self.sinks:
            return "attention sinks not computed"
        if p.alibi and not self.alibi:
            return "ALiBi not computed"
        if p.cache not in self.caches:
            return (
                f"{p.cache or 'no'} cache not among {', '.join(c or 'none' for c in self.caches)}"
            )
        if p.page_size % self.page_size_multiple:
            return f"page size {p.page_size} not a multiple of {self.page_size_multiple}"
        if p.lengths and not self.uneven_lengths:
            return "uneven sequence lengths not supported"
        return self.device_refusal(gpu)

    def device_refusal(self, gpu: Gpu) -> str | None:
        """Why no problem at all runs on ``gpu``: its compute capability; None if one may."""
        cc = gpu.compute_capability
        if self.compute_capability_min is not None:
            if cc is None:
                return (
                    f"needs compute capability {self.compute_capability_min}, {gpu.name}'s unknown"
                )
            if cc < self.compute_capability_min:
                return (
                    f"needs compute capability {self.compute_capability_min}, {gpu.name} has {cc}"
                )
        if self.compute_capability_max is not None and (
            cc is None or cc > self.compute_capability_max
        ):
            return f"needs compute capability up to {self.compute_capability_max}"
        return None


@dataclass(frozen=True)
class Kernel:
    """An implementation of an operator. Its source and version are recorded, not part of its id."""

    name: str
    """Unique name, as written on the command line."""
    operator: str
    """The operator it implements."""
    file: str
    """Path of its code inside its kernels folder, e.g. ``attention/sdpa.py``."""
    options: Params = ()
    """What its ``build`` gets as ``options``, sorted by name."""
    limits: tuple[tuple[str, Limits], ...] = ()
    """Limits by kind of device (cpu, cuda, rocm); a kind that is missing isn't supported."""
    packages: tuple[str, ...] = ()
    """Import names it needs."""
    library: str = ""
    """Distribution whose version is this kernel's version; "" for code of its own."""
    extra: str = ""
    """The optional extra of attnbench that brings ``packages``; "" for none."""
    programs: tuple[str, ...] = ()
    """Programs it needs, e.g. nvcc."""
    quantised: bool = field(default=False, metadata={"identity": False})
    """Multiplies in 8 bits whatever its inputs' type: held to the gate of quantised caches."""
    folder: str = field(default="", metadata={"identity": False})
    """The kernels folder it was found in: "" for attnbench's own, else a path on this machine."""
    description: str = field(default="", metadata={"identity": False})
    """One line for people."""

    @cached_property
    def id(self) -> str:
        """Identity: hash of operator, name and options."""
        return digest({"operator": self.operator, "name": self.name, "options": dict(self.options)})

    @cached_property
    def missing_packages(self) -> tuple[str, ...]:
        """Its packages that this Python can't find. Imports none of them."""
        return tuple(name for name in self.packages if _is_missing(name.partition(".")[0]))

    @cached_property
    def lacking(self) -> tuple[str, ...]:
        """Its packages, then its programs, that aren't on this machine."""
        programs = tuple(name for name in self.programs if find_program(name) is None)
        return self.missing_packages + programs

    @property
    def remedy(self) -> str:
        """What brings what it lacks; "" where nobody knows."""
        if self.missing_packages:
            return f"pip install 'attnbench[{self.extra}]'" if self.extra else ""
        toolkit = "nvcc comes with the CUDA toolkit: put it on PATH, or its folder into CUDA_HOME"
        return toolkit if "nvcc" in self.lacking else ""

    def refusal(self, problem: Problem, gpu: Gpu) -> str | None:
        """Why the stated limits rule ``problem`` out on ``gpu``, or None. Imports nothing."""
        if problem.operator != self.operator:
            return f"implements {self.operator}, not {problem.operator}"
        for kind, limits in self.limits:
            if kind == gpu.kind:
                return limits.refusal(problem, gpu)
        kinds = ", ".join(kind for kind, _ in self.limits)
        return f"runs on {kinds or 'no device'}, not on {gpu.kind}"

    def to_dict(self) -> dict[str, Any]:
        """What a worker needs to find, load and call it; limits stay with the planner."""
        return {
            "name": self.name,
            "operator": self.operator,
            "file": self.file,
            "options": dict(self.options),
            "packages": list(self.packages),
            "library": self.library,
            "extra": self.extra,
            "programs": list(self.programs),
            "folder": self.folder,
            **({"quantised": True} if self.quantised else {}),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Kernel:
        """Inverse of ``to_dict``."""
        data = dict(data)
        data["options"] = params_of(data.get("options"))
        for name in ("packages", "programs"):
            data[name] = tuple(data.get(name, ()))
        return cls(**data)


def _is_missing(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is None
    except ValueError:  # a module without a spec, put into sys.modules by hand
        return False
