"""What an attention problem costs: closed forms of FIELD.md §2, exact integers, microseconds.

Counted are the multiply-adds of the matrix products over *visible* (query, key) pairs, 2 FLOPs
each; the softmax isn't. One figure a problem, whatever an implementation really does.
"""

from __future__ import annotations

from harness.errors import InvalidProblem
from harness.model import Problem

MODEL = "attention/1"
DTYPES = ("fp64", "fp32", "fp16", "bf16")
LSE_BYTES = 4  # the log-sum-exp of a row, which backward reads, is fp32 everywhere

_UNKNOWN = {
    "cache": "keys and values from a cache: use the decode operator",
    "page_size": "there is no cache to page",
    "pattern": "only full, causal and window masks are known",
    "lengths": "every sequence of a batch is full",
    "lengths_seed": "every sequence of a batch is full",
    "kv_dtype": "keys and values have the queries' type",
    "sinks": "the softmax has no sinks",
    "params": "it takes none",
}


def validate(problem: Problem) -> None:
    """Raise InvalidProblem for what attention can't mean, naming the field and its value."""
    for name, why in _UNKNOWN.items():
        value = getattr(problem, name)
        if value:
            raise InvalidProblem(f"operator attention doesn't take {name}={value!r}: {why}")
    if problem.dtype not in DTYPES:
        raise InvalidProblem(
            f"operator attention has no rule of correctness for dtype={problem.dtype!r}; "
            f"it takes {', '.join(DTYPES)}"
        )


def _window(problem: Problem) -> tuple[int, int]:
    """Keys seen to the left and right of a query's position; all of them where unbounded."""
    everything = problem.seq_q + problem.seq_k
    left, right = problem.window_left, problem.window_right
    if problem.causal:
        right = 0
    return (
        everything if left is None else min(left, everything),
        everything if right is None else min(right, everything),
    )


def _ramp(last: int, high: int) -> int:
    """Sum of min(t, high) over t = 0 … last; 0 where last is negative."""
    if last < 0:
        return 0
    if last <= high:
        return last * (last + 1) // 2
    return high * (high + 1) // 2 + (last - high) * high


def visible_pairs(problem: Problem) -> int:
    """(query, key) pairs that one head of one sequence sees; 0 or more, exact.

    Query i stands at p = i + Sk − Sq and sees min(Sk−1, p+R) − max(0, p−L) + 1 keys where that is
    positive. Its right end and left end are clamped ramps in p, so their sums have closed forms.
    """
    sq, sk = problem.seq_q, problem.seq_k
    if not problem.causal and problem.window_left is None and problem.window_right is None:
        return sq * sk
    left, right = _window(problem)
    first = max(sk - sq, -right)  # the first position that sees a key at all
    last = sk - 1
    if first > last:
        return 0
    ends = _ramp(last + right + 1, sk) - _ramp(first + right, sk)  # of min(p + R + 1, Sk)
    starts = _ramp(last - left, sk) - _ramp(first - left - 1, sk)  # of max(p − L, 0)
    return ends - starts


def _visible_rows(problem: Problem) -> int:
    """Queries of one head of one sequence that see at least one key: the last ones, contiguous."""
    return min(problem.seq_q, problem.seq_k + _window(problem)[1])


def _visible_keys(problem: Problem) -> int:
    """Keys of one head of one sequence that at least one query sees: one contiguous range."""
    sq, sk = problem.seq_q, problem.seq_k
    left, right = _window(problem)
    first = max(sk - sq, -right)
    return min(sk - 1, sk - 1 + right) - max(0, first - left) + 1


def flops(problem: Problem) -> int:
    """FLOPs of the problem's direction: forward 2·P·Hq·(Dqk+Dv), backward 2·P·Hq·(3Dqk+2Dv)."""
    p = problem
    dims = 0
    if p.direction != "backward":
        dims += p.head_dim_qk + p.head_dim_v
    if p.direction != "forward":
        dims += 3 * p.head_dim_qk + 2 * p.head_dim_v
    return 2 * p.batch * p.heads_q * visible_pairs(p) * dims


def min_bytes(problem: Problem) -> int:
    """Least bytes moved. Keys that no query sees, and queries that see no key, aren't read.

    forward: Q, K, V, O. backward: Q, K, V, O, dO, LSE read and dQ, dK, dV written.
    forward_backward: both, and the forward's LSE, since dO only exists once O does.
    """
    p = problem
    rows, keys = _visible_rows(p), _visible_keys(p)
    row_dims, key_dims = p.heads_q, p.heads_kv
    read_q = row_dims * rows * p.head_dim_qk
    read_o = row_dims * rows * p.head_dim_v
    read_kv = key_dims * keys * (p.head_dim_qk + p.head_dim_v)
    write_o = row_dims * p.seq_q * p.head_dim_v
    lse = row_dims * rows * LSE_BYTES
    elements = extra = 0
    if p.direction != "backward":
        elements += read_q + read_kv + write_o
    if p.direction != "forward":
        write_grads = row_dims * p.seq_q * p.head_dim_qk
        write_grads += key_dims * p.seq_k * (p.head_dim_qk + p.head_dim_v)
        elements += read_q + read_kv + 2 * read_o + write_grads
        extra += lse
    if p.direction == "forward_backward":
        extra += lse
    return p.batch * (elements * p.element_bytes + extra)


def kv_cache_bytes(problem: Problem) -> int:
    """Bytes of all keys and values, as a KV cache would hold them."""
    p = problem
    per_token = p.heads_kv * (p.head_dim_qk + p.head_dim_v) * p.kv_element_bytes
    return p.batch * p.seq_k * per_token
