"""Every mask in two forms: pair by pair as the harness asks, and painted as ranges and blocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InvalidProblem
from harness.model import Problem
from harness.model.alibi import alibi_slopes
from harness.model.lengths import DISTRIBUTIONS, sequence_lengths
from harness.model.patterns import bigbird_table, document_starts, random_table
from harness.operators import masks
from tests.operators.problems import attention, dense_mask, problems


@settings(max_examples=150, deadline=None)
@given(problems(), st.booleans())
def test_the_mask_pair_by_pair_is_the_painted_one(problem: Problem, torchs: bool) -> None:
    arange = torch.arange if torchs else np.arange
    rows, keys = arange(problem.seq_q)[:, None], arange(problem.seq_k)[None, :]  # type: ignore[operator]
    seen = masks.visible(problem, rows, keys)
    want = dense_mask(problem)
    assert (np.ones_like(want) if seen is None else np.asarray(seen)).tolist() == want.tolist()


@settings(max_examples=150, deadline=None)
@given(problems(), st.data())
def test_ranges_of_keys_promise_what_the_mask_keeps(problem: Problem, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, problem.seq_q - 1))
    last = data.draw(st.integers(first, problem.seq_q - 1))
    mask = dense_mask(problem)[first : last + 1]
    low, high = masks.key_range(problem, first, last)
    assert not mask[:, :low].any()
    assert not mask[:, high:].any()
    low, high = masks.shared_range(problem, first, last)
    assert mask[:, low:high].all()


@settings(max_examples=60, deadline=None)
@given(*[st.integers(0, 4)] * 2, st.sampled_from([1, 3, 5]), st.booleans(), st.integers(1, 12))
def test_a_bigbird_row_has_its_three_parts_and_nothing_else(
    wide: int, random: int, window: int, causal: bool, blocks: int
) -> None:
    """arXiv 2007.14062, §2: global, window and exactly r random blocks where there is room."""
    table = bigbird_table(blocks, wide, window, random, 5, causal)
    for row, columns in enumerate(table):
        future = row + 1 if causal else blocks
        band = {b for b in range(row - window // 2, row + window // 2 + 1) if 0 <= b < future}
        fixed = band | set(range(min(wide, future)))
        if row < wide:
            assert columns == tuple(range(future))
        else:
            assert fixed <= set(columns) <= set(range(future))
            assert len(columns) == min(future, len(fixed) + random)
    other = bigbird_table(64, 1, 3, 3, 6, causal)
    assert other != bigbird_table(64, 1, 3, 3, 5, causal)
    assert other == bigbird_table.__wrapped__(64, 1, 3, 3, 6, causal)


def test_a_share_of_blocks_is_kept_and_always_the_own() -> None:
    for causal in (False, True):
        table = random_table(40, 0.25, 1, causal)
        assert all(row in columns for row, columns in enumerate(table))
        for row, columns in enumerate(table):
            among = row + 1 if causal else 40
            assert len(columns) == max(1, int(0.25 * among + 0.5))
            assert max(columns) < among
    assert random_table(5, 1.0, 0, False) == (tuple(range(5)),) * 5


def test_tables_and_lengths_are_pinned() -> None:
    """They belong to a problem's identity: a series continues only if they never change."""
    assert bigbird_table(12, 1, 3, 2, 0, False)[6] == (0, 4, 5, 6, 7, 8)
    assert random_table(8, 0.4, 0, True)[7] == (0, 6, 7)
    assert document_starts(100, 4, 0) == (0, 5, 29, 46)
    assert sequence_lengths("uniform", 0, 4, 1000) == (1000, 819, 911, 333)
    assert sequence_lengths("skewed", 0, 4, 1000) == (1000, 746, 127, 469)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_lengths_lie_between_one_and_the_longest_which_comes_first(distribution: str) -> None:
    lengths = sequence_lengths(distribution, 3, 4000, 50)
    assert lengths[0] == 50
    assert set(lengths) == set(range(1, 51))
    mean = {"uniform": 25.5, "skewed": 13.0}[distribution]
    assert abs(np.mean(lengths) - mean) < 1
    assert lengths != sequence_lengths(distribution, 4, 4000, 50)


def test_queries_have_the_keys_lengths_in_self_attention_and_their_own_in_cross() -> None:
    same = attention(batch=5, lengths="uniform", seq_q=90, seq_k=90)
    assert same.lengths_q == same.lengths_k
    cross = attention(batch=5, lengths="uniform", seq_q=80, seq_k=90)
    assert cross.lengths_k == same.lengths_k
    assert cross.lengths_q[0] == 80
    assert cross.lengths_q[1:] != cross.lengths_k[1:]
    assert attention(batch=3).lengths_q == (23, 23, 23)


def test_alibi_slopes_are_the_papers() -> None:
    """arXiv 2108.12409, §3: for 8 heads 1/2, 1/4 … 1/256; 16 interpolate them."""
    assert alibi_slopes(8) == tuple(2.0**-n for n in range(1, 9))
    assert alibi_slopes(16)[1::2] == alibi_slopes(8)
    assert alibi_slopes(16)[0] == 2**-0.5
    assert alibi_slopes(12) == (*alibi_slopes(8), *alibi_slopes(16)[0:8:2])
    assert alibi_slopes(1) == (2.0**-8,)


def test_one_meaning_of_a_pattern_has_one_key() -> None:
    params = (("local", 3), ("stride", 5))
    strided = attention(pattern="strided", params=params)
    assert strided.key == attention(pattern="strided", params=params, causal=True).key
    assert attention(params=(("alibi", False),)).key == attention().key
    assert attention(params=(("alibi", True),)).alibi


def test_an_unknown_distribution_names_the_close_one() -> None:
    with pytest.raises(InvalidProblem, match="Did you mean uniform"):
        sequence_lengths("unifrom", 0, 2, 9)
