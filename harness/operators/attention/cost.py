"""What an attention problem costs: FLOPs and least bytes of FIELD.md §2, exact integers.

Counted are the multiply-adds of the matrix products over *visible* (query, key) pairs, 2 FLOPs
each; softmax, softcap, sinks and ALiBi aren't. Sequences count with their actual lengths. One
figure a problem, whatever an implementation really does.
"""

from __future__ import annotations

from harness.model import Problem
from harness.operators.attention.pairs import seen, seen_by_batch
from harness.operators.attention.validation import validate

__all__ = ["MODEL", "flops", "kv_cache_bytes", "min_bytes", "validate", "visible_pairs"]

MODEL = "attention/2"
LSE_BYTES = 4  # the log-sum-exp of a row, which backward reads, is fp32 everywhere


def visible_pairs(problem: Problem) -> int:
    """(query, key) pairs that one head of one sequence of full length sees; 0 or more, exact."""
    return seen(problem).pairs


def flops(problem: Problem) -> int:
    """FLOPs of the problem's direction: forward 2·P·Hq·(Dqk+Dv), backward 2·P·Hq·(3Dqk+2Dv)."""
    p = problem
    dims = 0
    if p.direction != "backward":
        dims += p.head_dim_qk + p.head_dim_v
    if p.direction != "forward":
        dims += 3 * p.head_dim_qk + 2 * p.head_dim_v
    return 2 * p.heads_q * seen_by_batch(p).pairs * dims


def min_bytes(problem: Problem) -> int:
    """Least bytes moved. Keys that no query sees, and queries that see no key, aren't read.

    forward: Q, K, V, O (and the sinks). backward: Q, K, V, O, dO, LSE (and the sinks) read and dQ,
    dK, dV (and the sinks' gradient) written.
    forward_backward: both, and the forward's LSE, since dO only exists once O does.
    """
    p = problem
    _, rows, keys = seen_by_batch(p)
    tokens_q, tokens_k = sum(p.lengths_q), sum(p.lengths_k)
    read_q = p.heads_q * rows * p.head_dim_qk
    read_o = p.heads_q * rows * p.head_dim_v
    read_kv = p.heads_kv * keys * (p.head_dim_qk + p.head_dim_v)
    write_o = p.heads_q * tokens_q * p.head_dim_v
    lse = p.heads_q * rows * LSE_BYTES
    elements = extra = 0
    if p.direction != "backward":
        elements += read_q + read_kv + write_o + p.heads_q * p.sinks
    if p.direction != "forward":
        write_grads = p.heads_q * tokens_q * p.head_dim_qk
        write_grads += p.heads_kv * tokens_k * (p.head_dim_qk + p.head_dim_v)
        elements += read_q + read_kv + 2 * read_o + write_grads + 2 * p.heads_q * p.sinks
        extra += lse
    if p.direction == "forward_backward":
        extra += lse
    return elements * p.element_bytes + extra


def kv_cache_bytes(problem: Problem) -> int:
    """Bytes of all keys and values, as a KV cache would hold them."""
    p = problem
    per_token = p.heads_kv * (p.head_dim_qk + p.head_dim_v) * p.kv_element_bytes
    return sum(p.lengths_k) * per_token
