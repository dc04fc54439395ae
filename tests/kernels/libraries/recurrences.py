"""fla's and mamba-ssm's functions by their docstrings, computed by the operators' own oracles.

[B, T, H, D]; decays are logarithms; a scale that isn't given is 1/√K, which several problems don't
have; gates a head are [B, T, H]. Each returns what the library does: (out, state).
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from harness.operators import reference

Meaning = Callable[..., Any]


def recurrence(operator: str, scale: float, heads: int, **inputs: Tensor) -> Tensor:
    """The operator's fp64 recurrence on [B, T, H, D] inputs → [B, T, H, Dv] of the first's type."""
    first = next(iter(inputs.values()))
    batch = first.shape[0]
    flat = {}
    for name, given in inputs.items():
        if given.dim() == 2:  # a weight [H, D]
            flat[name] = given.double().repeat(batch, 1)
            continue
        assert given.dim() == 4
        group = heads // given.shape[2]
        flat[name] = given.double().transpose(1, 2).repeat_interleave(group, 1).flatten(0, 1)
    flat["head"] = torch.arange(heads, dtype=torch.float64).repeat(batch)
    b = flat.get("b", flat.get("k"))
    value = flat.get("x", flat.get("v"))
    assert b is not None
    assert value is not None
    problem = SimpleNamespace(
        effective_scale=scale, causal=True, head_dim_qk=b.shape[-1], head_dim_v=value.shape[-1]
    )
    out = reference(operator).oracle(flat, problem)  # type: ignore[attr-defined]
    return out.unflatten(0, (batch, heads)).transpose(1, 2).to(first.dtype)


def scaled(scale: float | None, k: Tensor) -> float:
    """The library's default."""
    return k.shape[-1] ** -0.5 if scale is None else scale


def normalised(q: Tensor, k: Tensor, v: Tensor, scale: float | None, normalize: bool) -> Any:
    """q and k come after their feature map; without ``normalize`` nothing is divided."""
    wide_q, wide_k, wide_v = (t.double().transpose(1, 2) for t in (q, k, v))
    weights = (wide_q @ wide_k.mT * scaled(scale, k)).tril()
    out = weights @ wide_v
    if normalize:
        out = out / weights.sum(-1, keepdim=True)
    return out.transpose(1, 2).to(q.dtype), None


def gated(q: Tensor, k: Tensor, v: Tensor, g: Tensor, scale: float | None) -> Any:
    """A decay for each element of a key."""
    assert q.shape == k.shape == g.shape
    return recurrence("gated_linear", scaled(scale, k), q.shape[2], q=q, k=k, v=v, g=g), None


def gated_recurrent(q: Tensor, k: Tensor, v: Tensor, gk: Tensor, scale: float | None) -> Any:
    """The same by other names."""
    return gated(q, k, v, gk, scale)


def retention(q: Tensor, k: Tensor, v: Tensor, scale: float | None) -> Any:
    """Decays 1 − 2^(−5−h)."""
    return recurrence("retention", scaled(scale, k), q.shape[2], q=q, k=k, v=v), None


def delta(q: Tensor, k: Tensor, v: Tensor, beta: Tensor, scale: float | None) -> Any:
    """beta [B, T, H]."""
    assert beta.dim() == 3
    more = {"q": q, "k": k, "v": v, "beta": beta[..., None]}
    return recurrence("delta_rule", scaled(scale, k), q.shape[2], **more), None


def delta_chunk(q: Tensor, k: Tensor, v: Tensor, beta: Tensor, scale: float | None) -> Any:
    """The chunked one takes no fp32."""
    assert q.dtype is not torch.float32
    return delta(q, k, v, beta, scale)


def gated_delta(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, scale: float | None
) -> Any:
    """g and beta [B, T, H]."""
    assert g.dim() == beta.dim() == 3
    more = {"q": q, "k": k, "v": v, "g": g[..., None], "beta": beta[..., None]}
    return recurrence("gated_delta_rule", scaled(scale, k), q.shape[2], **more), None


def simple(q: Tensor, k: Tensor, v: Tensor, g: Tensor, scale: float | None) -> Any:
    """A decay a head, [B, T, H]; q and k have v's heads."""
    assert g.dim() == 3
    assert q.shape[2] == k.shape[2] == v.shape[2]
    gates = g[..., None].expand(q.shape)
    return recurrence("gated_linear", scaled(scale, k), q.shape[2], q=q, k=k, v=v, g=gates), None


def rwkv6(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor, scale: float | None) -> Any:
    """u [H, K]."""
    r = r * scaled(scale, k)
    return recurrence("rwkv6", 1.0, r.shape[2], r=r, k=k, v=v, w=w, u=u), None


def rwkv7(
    r: Tensor, w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor, scale: float,
    output_final_state: bool,
) -> Any:  # fmt: skip
    """Its scale is 1 where none is given."""
    assert not output_final_state
    return recurrence("rwkv7", 1.0, r.shape[2], r=r * scale, w=w, k=k, v=v, a=a, b=b), None


def path(q: Tensor, k: Tensor, v: Tensor, w: Tensor, beta: Tensor, scale: float | None) -> Any:
    """w and beta in fp32, beta [B, T, H]."""
    assert w.dtype is beta.dtype is torch.float32
    assert {q.shape[-1], v.shape[-1]} <= {16, 32, 64, 128}
    more = {"q": q, "k": k, "v": v, "w": w, "beta": beta[..., None]}
    return recurrence("path", scaled(scale, k), q.shape[2], **more), None


FLA: dict[str, Meaning] = {
    "fla.ops.linear_attn.chunk_linear_attn": normalised,
    "fla.ops.linear_attn.fused_recurrent_linear_attn": normalised,
    "fla.ops.gla.chunk_gla": gated,
    "fla.ops.gla.fused_recurrent_gla": gated_recurrent,
    "fla.ops.retention.chunk_retention": retention,
    "fla.ops.retention.fused_recurrent_retention": retention,
    "fla.ops.delta_rule.chunk_delta_rule": delta_chunk,
    "fla.ops.delta_rule.fused_recurrent_delta_rule": delta,
    "fla.ops.gated_delta_rule.chunk_gated_delta_rule": gated_delta,
    "fla.ops.gated_delta_rule.fused_recurrent_gated_delta_rule": gated_delta,
    "fla.ops.simple_gla.chunk_simple_gla": simple,
    "fla.ops.simple_gla.fused_recurrent_simple_gla": simple,
    "fla.ops.rwkv6.chunk_rwkv6": rwkv6,
    "fla.ops.rwkv6.fused_recurrent_rwkv6": rwkv6,
    "fla.ops.rwkv7.chunk_rwkv7": rwkv7,
    "fla.ops.rwkv7.fused_recurrent_rwkv7": rwkv7,
    "fla.ops.path_attn.parallel_path_attn": path,
}


def mamba_chunk_scan_combined(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, chunk_size: int
) -> Tensor:
    """S = e^(dt·A)·S + dt·x⊗B, y = S·C; dt [B, T, H], A [H], B and C [B, T, G, N]."""
    assert dt.dim() == 3
    assert A.shape == (x.shape[2],)
    assert chunk_size > 0
    assert bool((dt >= 0).all())  # dt_limit's default clamps it there
    wide = dt.double()[..., None]
    more = {"x": x.double() * wide, "a": wide * A.double()[:, None], "b": B, "c": C}
    return recurrence("mamba2", 1.0, x.shape[2], **more).to(x.dtype)
