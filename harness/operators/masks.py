"""Which keys a query sees (FIELD.md §3), once, for numpy and torch index arrays alike."""

from __future__ import annotations

from typing import Any

from harness.model import Problem


def visible(problem: Problem, rows: Any, keys: Any) -> Any:
    """Boolean array: does query ``rows`` see key ``keys``? None where every query sees all.

    ``rows`` and ``keys`` are integer arrays (numpy or torch) that broadcast against each other.
    """
    if problem.mask == "full":
        return None
    position = rows + (problem.seq_k - problem.seq_q)
    seen = keys >= 0
    if problem.causal:
        seen = seen & (keys <= position)
    if problem.window_left is not None:
        seen = seen & (keys >= position - problem.window_left)
    if problem.window_right is not None:
        seen = seen & (keys <= position + problem.window_right)
    return seen


def key_range(problem: Problem, first_row: int, last_row: int) -> tuple[int, int]:
    """Half-open range of keys outside which no query of first_row … last_row sees any.

    Lets the oracle skip what is hidden; a pattern may hide more inside it.
    """
    offset = problem.seq_k - problem.seq_q
    low, high = 0, problem.seq_k
    if problem.causal:
        high = min(high, last_row + offset + 1)
    if problem.window_right is not None:
        high = min(high, last_row + offset + problem.window_right + 1)
    if problem.window_left is not None:
        low = max(low, first_row + offset - problem.window_left)
    return low, max(low, high)


def shared_range(problem: Problem, first_row: int, last_row: int) -> tuple[int, int]:
    """Half-open range of keys that every query of first_row … last_row sees; may be empty.

    Inside it no mask needs to be looked at. A pattern promises none.
    """
    if problem.pattern:
        return 0, 0
    offset = problem.seq_k - problem.seq_q
    low, high = 0, problem.seq_k
    if problem.causal:
        high = min(high, first_row + offset + 1)
    if problem.window_right is not None:
        high = min(high, first_row + offset + problem.window_right + 1)
    if problem.window_left is not None:
        low = max(low, last_row + offset - problem.window_left)
    return low, max(low, high)
