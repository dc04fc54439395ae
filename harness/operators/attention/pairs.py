"""How many (query, key) pairs a mask shows, in closed form (FIELD.md §2): exact, microseconds.

Block patterns are summed over their table, documents one by one; everything else is a formula.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from harness.model import Problem


class Seen(NamedTuple):
    """What one head of one sequence, or of a whole batch, looks at."""

    pairs: int
    """Visible (query, key) pairs."""
    rows: int
    """Queries that see at least one key."""
    keys: int
    """Keys that at least one query sees."""


def one_sequence(problem: Problem, sequence: int) -> Problem:
    """The problem of one sequence alone, at its actual lengths."""
    if not problem.lengths:
        return problem if problem.batch == 1 else replace(problem, batch=1)
    return replace(
        problem,
        batch=1,
        seq_q=problem.lengths_q[sequence],
        seq_k=problem.lengths_k[sequence],
        lengths="",
        lengths_seed=0,
    )


def seen(problem: Problem) -> Seen:
    """One head of one sequence of full length."""
    if problem.pattern == "strided":
        return _strided(problem)
    if problem.pattern == "document":
        return _documents(problem)
    if problem.pattern:
        return _blocks(problem)
    return Seen(_pairs(problem), _rows(problem), _keys(problem))


@lru_cache(maxsize=1024)
def seen_by_batch(problem: Problem) -> Seen:
    """One head of the whole batch, by the sequences' actual lengths."""
    if not problem.lengths:
        return Seen(*(count * problem.batch for count in seen(problem)))
    each = [seen(one_sequence(problem, b)) for b in range(problem.batch)]
    return Seen(*map(sum, zip(*each, strict=True)))


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


def _pairs(problem: Problem) -> int:
    """Dense, causal and windows.

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


def _rows(problem: Problem) -> int:
    """The last ones, contiguous."""
    return min(problem.seq_q, problem.seq_k + _window(problem)[1])


def _keys(problem: Problem) -> int:
    """One contiguous range."""
    sq, sk = problem.seq_q, problem.seq_k
    left, right = _window(problem)
    first = max(sk - sq, -right)
    return min(sk - 1, sk - 1 + right) - max(0, first - left) + 1


def _floors(count: int, step: int) -> int:
    """Sum of p // step over p = 0 … count − 1."""
    whole, rest = divmod(count, step)
    return step * whole * (whole - 1) // 2 + whole * rest


def _strided(problem: Problem) -> Seen:
    """Query p sees its last ``local`` keys, and those at multiples of ``stride`` before them."""
    local, stride = problem.param("local"), problem.param("stride")
    first, end = max(0, problem.seq_k - problem.seq_q), problem.seq_k
    pairs = _ramp(end, local) - _ramp(first, local)  # of min(p + 1, local)
    far = max(first, local)  # positions from here on have keys that the local part doesn't show
    if far < end:
        pairs += _floors(end, stride) - _floors(far, stride)
        pairs -= (end - far) * ((local - 1) // stride)
    before = max(0, first - local + 1)  # keys that only a stride reaches
    keys = end - before
    turns, rest = divmod(before, stride)
    rows = end - first
    # key j is reached by a row if (first − j) mod stride, counted up from the first row, is there
    reached = min(rows, stride)
    keys += turns * reached
    keys += sum(1 for j in range(rest) if (j - first) % stride < rows)
    return Seen(pairs, rows, keys)


def _documents(problem: Problem) -> Seen:
    """Each document alone, under the causal or window mask that the problem has."""
    starts = problem.document_starts
    assert starts is not None
    ends = (*starts[1:], problem.seq_k)
    sums = [0, 0, 0]
    for start, end in zip(starts, ends, strict=True):
        alone = replace(problem, seq_q=end - start, seq_k=end - start, pattern="", params=())
        for place, count in enumerate(seen(alone)):
            sums[place] += count
    return Seen(*sums)


@lru_cache(maxsize=256)
def _blocks(problem: Problem) -> Seen:
    """Areas of the table's blocks; on the diagonal of a causal table a triangle."""
    table, size, tokens = problem.block_table, problem.param("block"), problem.seq_k
    assert table is not None
    last = len(table) - 1
    width = [size] * last + [tokens - size * last]
    pairs, keys = 0, set[int]()
    for row, columns in enumerate(table):
        keys.update(columns)
        for column in columns:
            if problem.causal and column == row:
                pairs += width[row] * (width[row] + 1) // 2
            else:
                pairs += width[row] * width[column]
    return Seen(pairs, tokens, sum(width[column] for column in keys))
