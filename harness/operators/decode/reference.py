"""Inputs and oracle of decode: each sequence is attention over its own tokens of the cache.

The oracle knows nothing of pages: it takes a sequence's tokens, dequantises them exactly and
computes attention on them in fp64. ``mla``'s absorbed form is the same with one shared stream.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.model import Problem
from harness.operators.attention import oracle
from harness.operators.attention import reference as attention
from harness.operators.attention.oracle import Arithmetic, Heads, Rows
from harness.operators.base import QUANTISED_GATE, Expected, Gate
from harness.operators.caches import cache_inputs, streams, token_rows
from harness.operators.decode.cost import one_sequence
from harness.operators.gates import row_errors, row_scales
from harness.operators.inputs import TORCH_DTYPES, draw, draw_head
from harness.operators.selection import Selection

DIFFERENTIABLE: tuple[str, ...] = ()


def make_inputs(
    problem: Problem, seed: int, device: torch.device, layout: str
) -> dict[str, Tensor]:
    """``q`` [B, Hq, Sq, Dqk] in ``layout``, and the cache (harness/operators/caches.py)."""
    p = problem
    shape = (p.batch, p.heads_q, p.seq_q, p.head_dim_qk)
    q = draw(seed, "q", shape, TORCH_DTYPES[p.dtype], layout).to(device)
    return {"q": q, **cache_inputs(p, seed, device, layout)}


def selection(problem: Problem, seed: int) -> Selection:
    """What the oracle looks at: (sequence, key/value head) pairs and rows of new tokens."""
    return attention.selection(_padded(problem), seed)


def expected(problem: Problem, seed: int) -> Expected:
    """The fp64 oracle's ``out`` [head groups, group, rows, Dv], on the CPU.

    The baseline is plain torch in the problem's dtype on the dequantised tokens.
    """
    p, chosen = problem, selection(problem, seed)
    low = Arithmetic(TORCH_DTYPES[p.dtype])
    right: list[Rows] = []
    plain: list[Rows] = []
    with torch.no_grad():
        for (sequence, head), rows in zip(chosen.groups, chosen.rows_q, strict=True):
            one = one_sequence(p, p.lengths_k[sequence])
            for arithmetic, found in ((oracle.EXACT, right), (low, plain)):
                x = _heads(p, seed, sequence, head, arithmetic)
                found.append(oracle.forward(x, torch.from_numpy(rows), one, arithmetic))
    out = np.stack([rows.value.numpy() for rows in right])
    scale = row_scales(np.stack([rows.scale.numpy() for rows in right]), p.dtype)
    error = np.stack([rows.value.double().numpy() for rows in plain]) - out
    return Expected(
        outputs={"out": out},
        baseline_max_error={"out": float(np.abs(error).max())},
        share=out.size / (p.batch * p.heads_q * p.seq_q * p.head_dim_v),
        gate=QUANTISED_GATE if p.kv_dtype else Gate(),
        row_scale={"out": scale},
        baseline_row_error={"out": float(row_errors(error, scale).max())},
        baseline_gain_error={"out": attention.baseline_gain(p, out, error, scale)},
    )


def select(
    problem: Problem, seed: int, outputs: dict[str, Tensor], layout: str
) -> dict[str, NDArray[Any]]:
    """The part of a kernel's ``out`` [B, Hq, Sq, Dv] that ``expected`` speaks of.

    Raises WrongOutput as attention's does.
    """
    return attention.select(_padded(problem), seed, outputs, layout)


def _padded(problem: Problem) -> Problem:
    """The attention problem with outputs of the same shape: as if every context were full."""
    return replace(one_sequence(problem, problem.seq_k), batch=problem.batch)


def _heads(problem: Problem, seed: int, sequence: int, head: int, to: Arithmetic) -> Heads:
    """One key/value head of one sequence: its tokens, and the queries of the heads it serves."""
    p = problem
    rounded = Arithmetic(TORCH_DTYPES[p.dtype])
    shape = (p.seq_q, p.head_dim_qk)
    shared = range(head * p.group, (head + 1) * p.group)
    q = torch.stack([rounded(draw_head(seed, "q", (sequence, h), shape)) for h in shared])
    tokens = [to(token_rows(p, seed, name, sequence, head)) for name in streams(p)]
    return Heads(q, tokens[0], tokens[-1][:, : p.head_dim_v])
