"""Inputs and oracle of attention: exact for everything where that fits, else on a seeded sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from harness.model import Problem
from harness.operators.attention import oracle
from harness.operators.attention.cost import visible_pairs
from harness.operators.attention.oracle import Arithmetic, Heads, Rows
from harness.operators.attention.pairs import one_sequence
from harness.operators.base import Expected
from harness.operators.gates import UNIT_ROUNDOFF, gain_error, row_errors, row_scales
from harness.operators.inputs import (
    TORCH_DTYPES,
    draw,
    draw_head,
    native_shape,
    of_sequence,
    packed,
)
from harness.operators.outputs import checked, numbers
from harness.operators.selection import Selection, sample

DIFFERENTIABLE = ("q", "k", "v", "sinks")

WHOLE_FLOPS = 2e9
"""Up to this much fp64 work the oracle computes every output …"""
WHOLE_GROUPS = 64
"""… of at most this many head groups, since each costs a millisecond of Python …"""
WHOLE_ELEMENTS = 1 << 24
"""… and this many output elements: 128 MB in fp64."""
SAMPLE_FLOPS = 1.2e10
"""fp64 work spent on sampled rows."""
STATISTICS_FLOPS = 6e10
"""fp64 work spent on the row statistics of a sampled backward; one head group always gets them."""
SAMPLE_GROUPS = 8
"""Head groups in a sample of long sequences; up to WHOLE_GROUPS where they are short."""
SAMPLE_ROWS = 256
"""Rows in a head group's sample, where the work allows."""
SAMPLE_ELEMENTS = 1 << 26
"""Input elements drawn for a sample of several head groups: half a second's worth."""


def input_shapes(problem: Problem) -> dict[str, tuple[int, int, int, int]]:
    """BHSD shapes of the inputs, in canonical order; with ``grad_out`` unless forward."""
    p = problem
    shapes = {
        "q": (p.batch, p.heads_q, p.seq_q, p.head_dim_qk),
        "k": (p.batch, p.heads_kv, p.seq_k, p.head_dim_qk),
        "v": (p.batch, p.heads_kv, p.seq_k, p.head_dim_v),
    }
    if p.direction != "forward":
        shapes["grad_out"] = (p.batch, p.heads_q, p.seq_q, p.head_dim_v)
    return shapes


def output_shapes(problem: Problem) -> dict[str, tuple[int, ...]]:
    """BHSD shapes of the direction's outputs, in canonical order; dsinks is [heads_q]."""
    inputs = input_shapes(problem)
    shapes: dict[str, tuple[int, ...]] = {}
    if problem.direction != "backward":
        p = problem
        shapes["out"] = (p.batch, p.heads_q, p.seq_q, p.head_dim_v)
    if problem.direction != "forward":
        shapes |= {f"d{name}": inputs[name] for name in DIFFERENTIABLE if name in inputs}
        if problem.sinks:
            shapes["dsinks"] = (problem.heads_q,)
    return shapes


def lengths_of(problem: Problem, name: str) -> tuple[int, ...]:
    """Actual tokens of each sequence in an input or output."""
    return problem.lengths_k if name in ("k", "v", "dk", "dv") else problem.lengths_q


def make_inputs(
    problem: Problem, seed: int, device: torch.device, layout: str
) -> dict[str, Tensor]:
    """q, k, v (and grad_out unless forward), N(0,1), contiguous in ``layout`` on ``device``.

    With ``problem.sinks`` also sinks [heads_q]. q, k, v and sinks require grad unless the
    direction is forward. A shorter sequence stands first in its padded row; what follows is N(0,1)
    too and must not count (in grad_out it is 0, as the loss of no real model reads padding);
    layout THD has no padding. Raises InvalidProblem for a layout that isn't in ``inputs.LAYOUTS``.
    """
    dtype = TORCH_DTYPES[problem.dtype]
    inputs = {}
    for name, shape in input_shapes(problem).items():
        lengths = lengths_of(problem, name)
        tensor = draw(seed, name, shape, dtype, "BHSD" if layout == "THD" else layout)
        if layout == "THD":
            tensor = packed(tensor, lengths)
        elif name == "grad_out" and problem.lengths:
            for b, tokens in enumerate(lengths):
                (tensor[b, :, tokens:] if layout == "BHSD" else tensor[b, tokens:]).zero_()
        tensor = tensor.to(device)
        if problem.direction != "forward" and name in DIFFERENTIABLE:
            tensor.requires_grad_()
        inputs[name] = tensor
    if problem.sinks:
        drawn = [_sink(seed, head) for head in range(problem.heads_q)]
        inputs["sinks"] = torch.cat(drawn).to(dtype).to(device)
        inputs["sinks"].requires_grad_(problem.direction != "forward")
    return inputs


def _sink(seed: int, head: int) -> Tensor:
    return draw_head(seed, "sinks", (0, head), (1, 1)).flatten()


def selection(problem: Problem, seed: int) -> Selection:
    """What the oracle looks at. Everything, if that costs little; depends on sizes and seed."""
    p = problem
    backward = p.direction != "forward"
    row_flops = 2 * p.group * p.seq_k * (p.head_dim_qk + p.head_dim_v) * (3 if backward else 1)
    total = p.batch * p.heads_kv
    elements = sum(int(np.prod(s)) for s in output_shapes(p).values())
    whole = (
        total * p.seq_q * row_flops <= WHOLE_FLOPS
        and total <= WHOLE_GROUPS
        and elements <= WHOLE_ELEMENTS
    )
    if whole:
        groups, rows = total, max(p.seq_q, p.seq_k)
    else:
        drawn = sum(int(np.prod(s)) for s in input_shapes(p).values()) // total
        affordable = int(SAMPLE_FLOPS / (row_flops * min(p.seq_q, SAMPLE_ROWS)))
        groups = min(total, max(SAMPLE_GROUPS, min(WHOLE_GROUPS, affordable)))
        groups = max(1, min(groups, SAMPLE_ELEMENTS // drawn))
        if backward:
            statistics = 2 * visible_pairs(p) * p.group * (p.head_dim_qk + p.head_dim_v)
            groups = max(1, min(groups, int(STATISTICS_FLOPS / max(1, statistics))))
        # fewer rows before fewer groups, and at least 16 rows
        rows = max(16, min(SAMPLE_ROWS, int(SAMPLE_FLOPS / (groups * row_flops))))
    return sample(
        seed,
        batch=p.batch,
        heads=p.heads_kv,
        seq_q=p.seq_q,
        seq_k=p.seq_k,
        groups=groups,
        rows=rows,
        lengths=(p.lengths_q, p.lengths_k) if p.lengths else None,
    )


def _heads(problem: Problem, seed: int, batch: int, head_kv: int) -> Heads:
    """The inputs of one head group, rounded to the problem's dtype, in a type torch is quick in."""
    rounded = Arithmetic(TORCH_DTYPES[problem.dtype])
    shapes = input_shapes(problem)

    def one(name: str, head: int) -> Tensor:
        _, _, rows, dim = shapes[name]
        drawn = draw_head(seed, name, (batch, head), (rows, dim))
        return rounded(drawn[: lengths_of(problem, name)[batch]])

    shared = range(head_kv * problem.group, (head_kv + 1) * problem.group)

    def several(name: str) -> Tensor:
        return torch.stack([one(name, head) for head in shared])

    grad = several("grad_out") if "grad_out" in shapes else None
    sinks = slopes = None
    if problem.sinks:
        sinks = rounded(torch.cat([_sink(seed, head) for head in shared]))
    if problem.alibi:
        slopes = torch.tensor([problem.alibi_slopes[head] for head in shared], dtype=torch.float64)
    return Heads(several("q"), one("k", head_kv), one("v", head_kv), grad, sinks, slopes)


def _compute(
    x: Heads, rows: Tensor, keys: Tensor, problem: Problem
) -> Callable[[Arithmetic], dict[str, Rows]]:
    """The direction's outputs on the selected rows, as a function of the arithmetic."""
    statistics = oracle.row_statistics(x, problem) if problem.direction != "forward" else None

    def outputs(arithmetic: Arithmetic) -> dict[str, Rows]:
        out = {}
        if problem.direction != "backward":
            out["out"] = oracle.forward(x, rows, problem, arithmetic)
        if statistics is not None:
            out["dq"] = oracle.backward_queries(x, rows, problem, arithmetic)
            out["dk"], out["dv"] = oracle.backward_keys(x, keys, statistics, problem, arithmetic)
            if problem.sinks:
                out["dsinks"] = oracle.backward_sinks(x, statistics, arithmetic)
        return out

    return outputs


def expected(problem: Problem, seed: int) -> Expected:
    """The fp64 oracle on ``make_inputs(problem, seed, …)``, on the CPU, in bounded memory.

    ``outputs`` are float64 [head groups, group, rows, dim] for out and dq and
    [head groups, rows, dim] for dk and dv, rows as ``selection`` says; dsinks are
    [key/value heads, group, 1], of the heads of which every sequence is selected, as they sum over
    the sequences. A row that sees no key is 0, and so are its gradients. The baseline is the same
    in the problem's dtype; on sampled keys it takes the softmax's row statistics from the oracle,
    since they span all keys.
    """
    chosen = selection(problem, seed)
    low = Arithmetic(TORCH_DTYPES[problem.dtype])
    names = list(output_shapes(problem))
    parts: dict[str, list[tuple[Rows, Rows]]] = {name: [] for name in names}
    with torch.no_grad():
        for (batch, head), rows, keys in zip(
            chosen.groups, chosen.rows_q, chosen.rows_k, strict=True
        ):
            x, alone = _heads(problem, seed, batch, head), one_sequence(problem, batch)
            rows_there = torch.from_numpy(rows[rows < alone.seq_q])
            keys_there = torch.from_numpy(keys[keys < alone.seq_k])
            compute = _compute(x, rows_there, keys_there, alone)
            right, plain = compute(oracle.EXACT), compute(low)
            for name in names:
                wanted = len(keys if name in ("dk", "dv") else rows)
                pair = (right[name], plain[name])
                parts[name].append(pair if name == "dsinks" else _padded_both(pair, wanted))
    if "dsinks" in parts:
        parts["dsinks"] = _summed(parts["dsinks"], chosen, problem, low)
        if not parts["dsinks"]:
            del parts["dsinks"]
    outputs, row_scale, max_error, row_error, gains = {}, {}, {}, {}, {}
    for name, pairs in parts.items():
        outputs[name] = np.stack([right.value.numpy() for right, _ in pairs])
        scale = np.stack([right.scale.numpy() for right, _ in pairs])
        row_scale[name] = row_scales(scale, problem.dtype)
        error = np.stack([plain.value.double().numpy() for _, plain in pairs]) - outputs[name]
        max_error[name] = float(np.abs(error).max())
        row_error[name] = float(row_errors(error, row_scale[name]).max())
        gains[name] = baseline_gain(problem, outputs[name], error, row_scale[name])
    total = sum(int(np.prod(shape)) for shape in output_shapes(problem).values())
    return Expected(
        outputs=outputs,
        baseline_max_error=max_error,
        share=sum(a.size for a in outputs.values()) / total,
        row_scale=row_scale,
        baseline_row_error=row_error,
        baseline_gain_error=gains,
    )


def baseline_gain(
    problem: Problem,
    right: NDArray[np.float64],
    error: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> float:
    """The baseline's ``gain_error``; 0 where ``right`` holds nothing but rounding."""
    found = gain_error(right, error, scale, UNIT_ROUNDOFF[problem.dtype])
    return 0.0 if found is None else found[0]


def _whole_heads(problem: Problem, chosen: Selection) -> list[int]:
    """Key/value heads of which every sequence is selected, ascending."""
    heads = [head for _, head in chosen.groups]
    return [h for h in sorted(set(heads)) if heads.count(h) == problem.batch]


def _summed(
    parts: list[tuple[Rows, Rows]], chosen: Selection, problem: Problem, low: Arithmetic
) -> list[tuple[Rows, Rows]]:
    """dsinks of each whole head, summed over its sequences; its own rounding joins the scale."""
    summed = []
    for whole in _whole_heads(problem, chosen):
        of_head = [p for p, (_, head) in zip(parts, chosen.groups, strict=True) if head == whole]
        right, plain = (torch.stack([pair[i].value for pair in of_head]).sum(0) for i in (0, 1))
        power = torch.stack([pair[0].scale for pair in of_head]).sum(0)
        scale = (power + right.squeeze(-1).square()).sqrt_()
        summed.append((Rows(right, scale), Rows(low(plain), scale)))
    return summed


def _padded_both(pair: tuple[Rows, Rows], wanted: int) -> tuple[Rows, Rows]:
    return _padded(pair[0], wanted), _padded(pair[1], wanted)


def _padded(part: Rows, wanted: int) -> Rows:
    """Zeros for the selected rows that lie in a sequence's padding."""
    missing = wanted - part.scale.shape[-1]
    if not missing:
        return part
    return Rows(
        functional.pad(part.value, (0, 0, 0, missing)), functional.pad(part.scale, (0, missing))
    )


def select(
    problem: Problem, seed: int, outputs: dict[str, Tensor], layout: str
) -> dict[str, NDArray[Any]]:
    """The part of a kernel's ``outputs`` that ``expected`` speaks of, as float32 or float64.

    ``outputs`` are in the kernel's ``layout`` on any device. Raises WrongOutput where one is
    missing, has another shape or dtype than the problem's, or isn't finite anywhere. Rows of a
    sequence's padding count as 0, whatever a kernel left there.
    """
    chosen = selection(problem, seed)
    dtype = TORCH_DTYPES[problem.dtype]
    selected = {}
    for name, shape in output_shapes(problem).items():
        want = shape
        if len(shape) == 4:
            want = native_shape(shape, layout, lengths_of(problem, name))
        tensor = checked(outputs, name, want, dtype, layout)
        if name == "dsinks":
            heads_of = tensor.view(problem.heads_kv, problem.group, 1)
            whole = _whole_heads(problem, chosen)
            if whole:
                selected[name] = numbers(heads_of[whole])
            continue
        parts = []
        for i, (batch, head) in enumerate(chosen.groups):
            view = of_sequence(tensor, layout, lengths_of(problem, name), batch)
            if name in ("dk", "dv"):
                parts.append(_pick(view[head], chosen.rows_k[i]))
            else:
                heads = slice(head * problem.group, (head + 1) * problem.group)
                parts.append(_pick(view[heads], chosen.rows_q[i]))
        selected[name] = np.stack(parts)
    return selected


def _pick(view: Tensor, rows: NDArray[np.int64]) -> NDArray[Any]:
    """``rows`` of the second to last axis; 0 for those beyond it, which are padding."""
    there = torch.from_numpy(rows[rows < view.shape[-2]]).to(view.device)
    picked = view.index_select(-2, there)
    picked = functional.pad(picked, (0, 0, 0, len(rows) - len(there)))
    return numbers(picked)
