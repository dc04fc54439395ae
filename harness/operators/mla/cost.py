"""What multi-head latent attention costs (DeepSeek-V2, arXiv 2405.04434, §2.1; FIELD.md §2).

    naive, no cache     per-head keys of qk_nope + rope and values of v: attention of two head dims
    absorbed, a cache   one latent and rope vector a token serves all heads: Dqk = kv_lora + rope,
                        Dv = kv_lora, one key/value head

The W_UK and W_UV products (queries into the latent space, outputs back) stand outside a kernel and
aren't counted; nor is the naive form's up-projection, which ``up_projection_flops`` gives apart.
"""

from __future__ import annotations

from dataclasses import replace

from harness.errors import InvalidProblem
from harness.model import Problem
from harness.operators.attention import cost as attention
from harness.operators.decode import cost as decode

MODEL = "mla/1"
KV_LORA, ROPE = 512, 64
"""Widths of the latent and of the rotated part in DeepSeek-V2 and V3, where params name none."""
PARAMS = ("kv_lora", "rope")


def as_attention(problem: Problem) -> Problem:
    """The naive form as the attention problem that it is."""
    return replace(problem, operator="attention", params=())


def latent_dims(problem: Problem) -> tuple[int, int]:
    """(width of the latent, width of the rotated part) of one cached token, in elements."""
    if problem.cache:
        return problem.head_dim_v, problem.head_dim_qk - problem.head_dim_v
    return int(problem.param("kv_lora", KV_LORA)), int(problem.param("rope", ROPE))


def validate(problem: Problem) -> None:
    """Raise InvalidProblem for what neither form can mean, naming the field and its value."""
    p = problem
    if p.cache:
        _validate_absorbed(p)
        return
    unknown = [name for name, _ in p.params if name not in PARAMS]
    if unknown:
        raise InvalidProblem(f"operator mla has no params.{unknown[0]}; it has {', '.join(PARAMS)}")
    for name in PARAMS:
        value = p.param(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InvalidProblem(f"params.{name} must be a whole number of at least 1: {value!r}")
    if p.heads_kv != p.heads_q:
        raise InvalidProblem(
            f"naive MLA expands the latent to keys of every head: heads_kv={p.heads_kv} must be "
            f"heads_q={p.heads_q} (or set workload.cache for the absorbed form)"
        )
    if p.head_dim_qk <= latent_dims(p)[1]:
        raise InvalidProblem(
            f"head_dim={p.head_dim_qk} holds the rotated part of {latent_dims(p)[1]} and more"
        )
    attention.validate(as_attention(p))


def _validate_absorbed(p: Problem) -> None:
    decode.validate_cache(p)
    if p.params:
        raise InvalidProblem(
            f"absorbed MLA takes no params, not {dict(p.params)}: head_dim_v is the latent's width"
        )
    if p.heads_kv != 1:
        raise InvalidProblem(f"absorbed MLA has one latent for all heads: heads_kv={p.heads_kv}")
    if p.head_dim_v >= p.head_dim_qk:
        raise InvalidProblem(
            f"absorbed MLA's keys are the latent (head_dim_v={p.head_dim_v}) and the rotated part, "
            f"so head_dim={p.head_dim_qk} must be larger"
        )
    if p.scale is None:
        raise InvalidProblem(
            "absorbed MLA scales by the naive form's head dim: set workload.scale "
            "(DeepSeek-V3: 192 ** -0.5 = 0.07216878364870322)"
        )


def visible_pairs(problem: Problem) -> int:
    """(query, key) pairs that one head of a sequence of full length sees."""
    if problem.cache:
        return decode.visible_pairs(problem)
    return attention.visible_pairs(as_attention(problem))


def flops(problem: Problem) -> int:
    """Absorbed: 2·P·H·(576+512) in DeepSeek-V3; naive: attention's, 2·P·H·(192+128) forward."""
    return decode.flops(problem) if problem.cache else attention.flops(as_attention(problem))


def up_projection_flops(problem: Problem) -> int:
    """FLOPs that expand the naive form's latents to keys and values: 2·Skv·kv_lora·H·(nope+v).

    0 for the absorbed form. DeepSeek-V3: 2·Skv·512·H·256 a sequence.
    """
    p = problem
    if p.cache:
        return 0
    kv_lora, rope = latent_dims(p)
    per_head = p.head_dim_qk - rope + p.head_dim_v
    return 2 * sum(p.lengths_k) * kv_lora * p.heads_q * per_head


def min_bytes(problem: Problem) -> int:
    """Least bytes moved: naive as attention, absorbed Q, O and each visible token's entry once."""
    if not problem.cache:
        return attention.min_bytes(as_attention(problem))
    return decode.bytes_moved(problem, problem.head_dim_qk, scales=1)


def kv_cache_bytes(problem: Problem) -> int:
    """Bytes of the latents and rotated parts: what MLA keeps, whichever form computes."""
    if problem.cache:
        return decode.cache_bytes(problem, problem.head_dim_qk, scales=1)
    return sum(problem.lengths_k) * sum(latent_dims(problem)) * problem.kv_element_bytes
