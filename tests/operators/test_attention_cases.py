"""The small problems that kernels are held to go through everything that can be claimed."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from harness.model import Gpu, Kernel, Limits
from harness.operators.attention.cases import HEADS, LENGTHS, MASKS, head_dims
from harness.operators.cases import cases

CPU = Gpu("cpu", "cpu")
DIRECTIONS = ("forward", "backward", "forward_backward")
EVERYTHING = Limits(
    dtypes=("fp32",), masks=tuple(MASKS), directions=DIRECTIONS, head_dim_max=256, softcap=True,
    sinks=True, alibi=True, uneven_lengths=True,
)  # fmt: skip
PATTERNS = ("bigbird", "block_sparse", "document")


def went_through(direction: str, limits: Limits = EVERYTHING) -> dict[str, set[Any]]:
    """What the problems of one direction vary in."""
    kernel = Kernel("mine", "attention", "mine.py", limits=(("cpu", limits),))
    found = list(cases(kernel, "fp32", direction, CPU))
    heads, lengths = ({v: k for k, v in table.items()} for table in (HEADS, LENGTHS))
    group = [heads[p.heads_q, p.heads_kv] for p in found]
    return {
        "mask": {p.mask for p in found},
        "heads": set(group),
        "mask, heads": set(zip((p.mask for p in found), group, strict=True)),
        "mask, lengths": {(p.mask, lengths[p.seq_q, p.seq_k]) for p in found},
        "dims": {(p.head_dim_qk, p.head_dim_v) for p in found},
        "added": {
            name
            for p in found
            for name in ("softcap", "sinks", "alibi", "lengths")
            if getattr(p, name)
        },
        "blind": {p.mask for p in found if p.causal and p.seq_q > p.seq_k and not p.lengths},
    }


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_direction_goes_through_every_claim(direction: str) -> None:
    seen = went_through(direction)
    assert seen["mask"] == set(MASKS)
    assert seen["heads"] == set(HEADS)
    assert seen["dims"] == set(head_dims(EVERYTHING))
    assert seen["added"] == {"softcap", "sinks", "alibi", "lengths"}
    assert {lengths for _, lengths in seen["mask, lengths"]} == set(LENGTHS)
    assert seen["blind"]


def test_forward_goes_through_every_mask_with_all_heads_and_lengths() -> None:
    seen = went_through("forward")
    assert seen["mask, heads"] == set(itertools.product(MASKS, HEADS))
    dense = itertools.product([m for m in MASKS if m not in PATTERNS], LENGTHS)
    assert seen["mask, lengths"] == {*dense, *((m, "square") for m in PATTERNS)}


def test_the_two_directions_with_gradients_go_through_as_much_together() -> None:
    forward, both = went_through("forward"), [went_through(d) for d in DIRECTIONS[1:]]
    for what in ("mask, heads", "mask, lengths"):
        assert set.union(*(seen[what] for seen in both)) == forward[what]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_kernel_without_cross_attention_is_still_held_to_all_heads(direction: str) -> None:
    limits = replace(EVERYTHING, cross=False, masks=("full", "causal"))
    seen = went_through(direction, limits)
    assert seen["heads"] == set(HEADS)
    assert seen["mask"] == {"full", "causal"}
