"""What a decode step costs: FIELD.md §2, summed over the sequences by their actual contexts.

FLOPs count the visible (query, key) pairs, as attention's do. Least bytes: queries, outputs, and of
the cache the tokens that some query sees, at the cache's element size; every page belongs to one
sequence, so no page counts twice. Besides them the scales, the lengths and the page table's entries
of those tokens. The contexts include the new tokens, whose keys and values are in the cache.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache

from harness.errors import InvalidProblem
from harness.model import Problem
from harness.operators.attention import cost as attention
from harness.operators.attention.validation import check_window

MODEL = "decode/1"
DTYPES = ("fp64", "fp32", "fp16", "bf16")
KV_DTYPES = ("int8", "fp8_e4m3")
"""Element types of a quantised cache."""
CACHES = ("contiguous", "paged")
INDEX_BYTES = 4  # of a length, and of a page's number
SCALE_BYTES = 4  # a head's scale is fp32


def validate(problem: Problem) -> None:
    """Raise InvalidProblem for what a decode step can't mean, naming the field and its value."""
    if problem.params:
        raise InvalidProblem(f"operator decode takes no params, not {dict(problem.params)}")
    validate_cache(problem)


def validate_cache(problem: Problem) -> None:
    """What holds for every operator that reads a KV cache. Raises InvalidProblem."""
    p, operator = problem, f"operator {problem.operator}"
    if p.cache not in CACHES:
        raise InvalidProblem(
            f"{operator} reads a KV cache: set workload.cache to {' or '.join(CACHES)}, "
            f"not {p.cache!r}"
        )
    if p.cache == "paged" and p.page_size < 1:
        raise InvalidProblem(
            f"cache=paged needs workload.page_size, tokens of a page, not {p.page_size}"
        )
    if p.cache == "paged" and p.seq_k % p.page_size:
        raise InvalidProblem(
            f"page_size={p.page_size} doesn't divide seq_k={p.seq_k}, so the longest context "
            "isn't made of whole pages: choose another of the two"
        )
    if p.cache == "contiguous" and p.page_size:
        raise InvalidProblem(f"page_size={p.page_size} has no meaning with cache=contiguous")
    if p.direction != "forward":
        raise InvalidProblem(f"{operator} is inference: direction={p.direction} has no meaning")
    if p.seq_q > p.seq_k:
        raise InvalidProblem(
            f"seq_q={p.seq_q} new tokens are part of the context, so seq_k={p.seq_k} is too short"
        )
    if p.dtype not in DTYPES:
        raise InvalidProblem(f"{operator} has no dtype={p.dtype!r}; it takes {', '.join(DTYPES)}")
    if p.kv_dtype and p.kv_dtype not in KV_DTYPES:
        raise InvalidProblem(
            f"{operator} has no cache of kv_dtype={p.kv_dtype!r}; quantised ones are "
            f"{', '.join(KV_DTYPES)}"
        )
    if p.pattern or p.sinks or p.mask not in ("full", "causal", "causal_window"):
        what = "sinks" if p.sinks else f"mask {p.mask}"
        raise InvalidProblem(f"{operator} has no {what}: it takes full, causal and causal_window")
    check_window(p)
    if p.lengths_seed and not p.lengths and p.cache == "contiguous":
        raise InvalidProblem(f"lengths_seed={p.lengths_seed} has no effect without lengths")
    _ = p.lengths_k  # raises for an unknown distribution


def one_sequence(problem: Problem, length: int) -> Problem:
    """The attention problem that one sequence of ``length`` context tokens is."""
    return replace(
        problem, operator="attention", batch=1, seq_k=length, kv_dtype="", cache="", page_size=0,
        lengths="", lengths_seed=0, params=(),
    )  # fmt: skip


def visible_pairs(problem: Problem) -> int:
    """(query, key) pairs that one head of a sequence of full length sees."""
    return attention.visible_pairs(one_sequence(problem, problem.seq_k))


@lru_cache(maxsize=256)
def flops(problem: Problem) -> int:
    """2·P·Hq·(Dqk+Dv), P summed over the sequences by their actual contexts."""
    contexts = Counter(problem.lengths_k)
    pairs = sum(n * attention.visible_pairs(one_sequence(problem, c)) for c, n in contexts.items())
    return 2 * pairs * problem.heads_q * (problem.head_dim_qk + problem.head_dim_v)


def min_bytes(problem: Problem) -> int:
    """Least bytes moved by the step; see the module's text."""
    return bytes_moved(problem, problem.head_dim_qk + problem.head_dim_v, scales=2)


def kv_cache_bytes(problem: Problem) -> int:
    """Bytes that the cache takes: contiguous keeps seq_k tokens a sequence, paged whole pages."""
    return cache_bytes(problem, problem.head_dim_qk + problem.head_dim_v, scales=2)


def bytes_moved(problem: Problem, token_dims: int, scales: int) -> int:
    """Least bytes where a token's cache entry is ``token_dims`` elements a key/value head.

    ``scales`` tensors of one scale a head are read where the cache is quantised.
    """
    p = problem
    rows = keys = pages = 0
    for context, count in Counter(p.lengths_k).items():
        first, end = visible_range(p, context)
        rows += count * (min(p.seq_q, context) if p.causal else p.seq_q)
        keys += count * (end - first)
        if p.page_size:
            pages += count * (-(-end // p.page_size) - first // p.page_size)
    read_q = p.heads_q * rows * p.head_dim_qk
    write_o = p.batch * p.heads_q * p.seq_q * p.head_dim_v
    cached = keys * p.heads_kv * token_dims * p.kv_element_bytes
    index = INDEX_BYTES * (p.batch + pages)
    return (read_q + write_o) * p.element_bytes + cached + index + _scale_bytes(p, scales)


def cache_bytes(problem: Problem, token_dims: int, scales: int) -> int:
    """Bytes of the whole cache, its page table and scales included."""
    p = problem
    if p.cache == "paged":
        pages = sum(-(-context // p.page_size) for context in p.lengths_k)
        tokens, table = pages * p.page_size, pages * INDEX_BYTES
    else:
        tokens, table = p.batch * p.seq_k, 0
    return tokens * p.heads_kv * token_dims * p.kv_element_bytes + table + _scale_bytes(p, scales)


def visible_range(problem: Problem, context: int) -> tuple[int, int]:
    """Half-open range of the cached tokens that some new token of a sequence sees."""
    if problem.window_left is None:
        return 0, context
    first_position = max(0, context - problem.seq_q)
    return max(0, first_position - problem.window_left), context


def _scale_bytes(problem: Problem, scales: int) -> int:
    return scales * problem.heads_kv * SCALE_BYTES if problem.kv_dtype else 0
