"""The functions of ``Reference`` for a recurrent operator: seeded inputs, the oracle, selection.

Every head is a recurrence of its own, so a sample of heads is exact for those heads, and every
token of them is looked at. The oracle is computed for all heads where that is cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.model import Problem
from harness.operators.base import Expected, Gate
from harness.operators.gates import UNIT_ROUNDOFF
from harness.operators.inputs import TORCH_DTYPES, as_bhsd, draw_head, native_shape
from harness.operators.outputs import checked, numbers
from harness.operators.recurrent.counts import Counts, Input
from harness.operators.recurrent.scan import one_thread
from harness.operators.selection import sample

Normal = Callable[[str], Tensor]
"""Name of a stream → N(0,1) fp32 [rows, dim], of the input's shape, for one head."""
Value = Callable[[Normal], Tensor]
"""How an input of one head is made of N(0,1) numbers."""
Oracle = Callable[[dict[str, Tensor], Problem], Tensor]
"""Inputs by name, [heads, rows, dim] (weights [heads, dim]), and ``head``, the number of each head
(fp64 [heads]) → out [heads, rows, dim]."""

WHOLE_UPDATES = 1e8
"""Up to this many updated numbers of states (tokens · heads · dk · dv) every head is computed …"""
WHOLE_ELEMENTS = 1 << 23
"""… and up to this many output elements."""
BACKWARD_WORK = 5
"""Work of a backward pass over that of a forward one."""
SAMPLE_HEADS = 3
"""Heads in the smallest sample: the first, the last and one between; backward a random one."""
NEIGHBOURS = 16
"""Rows to either side whose size counts as that of a row."""
ROW_FACTOR = 8.0
"""How much more than all outputs together a single row may err, each over its own size."""
ROW_FLOOR = 1e-3
"""Least size of a row, over the RMS of the whole output: where all around it is next to nothing."""
EXACT_BOUND = 1e-10
"""RMSE ratio allowed in fp64, where the field's bounds would let anything pass."""


class Family:
    """Inputs and oracle of one recurrent operator.

    ``values`` says how an input is made where it isn't plain N(0,1); ``bound`` is the field's
    bound on RMSE(error) / RMS(reference) in fp32 (FIELD.md §6). 16-bit outputs can't be nearer
    than their rounding, so 2 unit roundoffs are added: 2e-3 in fp16 and 9e-3 in bf16 for 1e-3.
    ``work`` is what a head of a sequence costs the oracle in updated numbers of a state, where it
    isn't tokens · dk · dv.
    """

    def __init__(
        self,
        counts: Counts,
        oracle: Oracle,
        values: Mapping[str, Value],
        bound: float,
        work: Callable[[Problem], float] | None = None,
    ) -> None:
        self.counts = counts
        self.oracle = oracle
        self._values = dict(values)
        self._bound = bound
        self._work = work or _state_updates
        self.DIFFERENTIABLE = tuple(i.name for i in counts.inputs if i.trained)

    def gate(self, problem: Problem) -> Gate:
        """The RMSE ratio that decides, for all outputs and for each row over its neighbourhood."""
        bound = EXACT_BOUND
        if problem.dtype != "fp64":
            bound = self._bound + 2 * UNIT_ROUNDOFF[problem.dtype]
        return Gate("rmse_ratio", bound, row_bound=ROW_FACTOR * bound)

    def head(self, problem: Problem, seed: int, given: Input, index: tuple[int, int]) -> Tensor:
        """fp32 [rows, dim] of one head of one input, before it is rounded to the problem's type."""
        _, _, rows, dim = given.shape(problem)

        def normal(stream: str) -> Tensor:
            return draw_head(seed, stream, index, (rows, dim))

        value = self._values.get(given.name)
        return normal(given.name) if value is None else value(normal)

    def make_inputs(
        self, problem: Problem, seed: int, device: torch.device, layout: str
    ) -> dict[str, Tensor]:
        """The operator's inputs (and grad_out unless forward), contiguous in ``layout``.

        A number a token and head has dim 1, and a weight is [heads, dim] in every layout. What is
        trained requires grad unless the direction is forward. InvalidProblem for another layout.
        """
        dtype, inputs = TORCH_DTYPES[problem.dtype], {}
        wanted = list(self.counts.inputs)
        if problem.direction != "forward":
            wanted.append(_grad_out())
        for given in wanted:
            shape = given.shape(problem)
            out = torch.empty(native_shape(shape, layout), dtype=dtype)
            view = as_bhsd(out, layout)
            for index in np.ndindex(*shape[:2]):
                view[index].copy_(self.head(problem, seed, given, index))
            if given.rows == "weight":
                out = out.view(shape[1], shape[3])
            out = out.to(device)
            if problem.direction != "forward" and given.name in self.DIFFERENTIABLE:
                out.requires_grad_()
            inputs[given.name] = out
        return inputs

    def heads(self, problem: Problem, seed: int) -> list[tuple[int, int]]:
        """(sequence, query head) pairs that the oracle speaks of, ascending: all, or a sample."""
        p = problem
        total = p.batch * p.heads_q
        work = self._work(p)
        least = SAMPLE_HEADS
        if p.direction != "forward":
            work *= BACKWARD_WORK
            least = 1
        elements = p.seq_q * p.head_dim_v
        most = max(least, int(min(WHOLE_UPDATES / work, WHOLE_ELEMENTS / elements)))
        chosen = sample(
            seed,
            batch=p.batch,
            heads=p.heads_q,
            seq_q=p.seq_q,
            seq_k=p.seq_k,
            groups=min(most, total),
            rows=1,
        )
        return list(chosen.groups)

    def pairs(
        self, problem: Problem, heads: list[tuple[int, int]], given: Input
    ) -> list[tuple[int, int]]:
        """(sequence, head) pairs of one input that belong to ``heads``, each once, ascending."""
        _, own, _, _ = given.shape(problem)
        weight = given.rows == "weight"
        return sorted({(0 if weight else b, h * own // problem.heads_q) for b, h in heads})

    def judged(
        self, problem: Problem, heads: list[tuple[int, int]]
    ) -> dict[str, list[tuple[int, int]]]:
        """Outputs that can be judged from these heads alone, and which (sequence, head) of each.

        The gradient of an input that several heads share sums over them: it is judged where all
        of them are in the sample.
        """
        found: dict[str, list[tuple[int, int]]] = {}
        if problem.direction != "backward":
            found["out"] = heads
        if problem.direction != "forward":
            whole = len(heads) == problem.batch * problem.heads_q
            for given in self.counts.inputs:
                own = given.shape(problem)[1] == problem.heads_q and given.rows != "weight"
                if given.trained and (whole or own):
                    found[f"d{given.name}"] = self.pairs(problem, heads, given)
        return found

    def expected(self, problem: Problem, seed: int) -> Expected:
        """The fp64 oracle on ``make_inputs(problem, seed, …)``, one step a token, on the CPU.

        ``outputs`` are float64 [heads, rows, dim] in the order of ``judged``; gradients come by
        autograd through the recurrence. A row's scale is the RMS of the rows around it.
        """
        p, heads = problem, self.heads(problem, seed)
        backward = p.direction != "forward"
        leaves: dict[str, Tensor] = {}
        x: dict[str, Tensor] = {}
        for given in self.counts.inputs:
            pairs = self.pairs(p, heads, given)
            leaf = torch.stack([self._rounded(p, seed, given, at) for at in pairs])
            leaves[given.name] = leaf.requires_grad_(backward and given.trained)
            _, own, _, _ = given.shape(p)
            weight = given.rows == "weight"
            at = [pairs.index((0 if weight else b, h * own // p.heads_q)) for b, h in heads]
            x[given.name] = leaf[at][:, 0] if weight else leaf[at]
        x["head"] = torch.tensor([float(h) for _, h in heads], dtype=torch.float64)
        with torch.set_grad_enabled(backward), one_thread():
            found = {"out": self.oracle(x, p)}
            if backward:
                grad = torch.stack([self._rounded(p, seed, _grad_out(), at) for at in heads])
                wanted = [leaves[name] for name in self.DIFFERENTIABLE]
                names = [f"d{name}" for name in self.DIFFERENTIABLE]
                found |= zip(names, torch.autograd.grad(found["out"], wanted, grad), strict=True)
        outputs = {n: found[n].detach().numpy() for n in self.judged(p, heads)}
        total = sum(int(np.prod(s)) for s in self.output_shapes(p).values())
        return Expected(
            outputs=outputs,
            baseline_max_error={},
            share=sum(a.size for a in outputs.values()) / total,
            gate=self.gate(p),
            row_scale={n: _neighbourhood(a) for n, a in outputs.items()},
        )

    def _rounded(self, problem: Problem, seed: int, given: Input, index: tuple[int, int]) -> Tensor:
        return self.head(problem, seed, given, index).to(TORCH_DTYPES[problem.dtype]).double()

    def output_shapes(self, problem: Problem) -> dict[str, tuple[int, int, int, int]]:
        """BHSD shapes of the direction's outputs, in canonical order."""
        shapes = {}
        if problem.direction != "backward":
            shapes["out"] = _grad_out().shape(problem)
        if problem.direction != "forward":
            shapes |= {f"d{i.name}": i.shape(problem) for i in self.counts.inputs if i.trained}
        return shapes

    def select(
        self, problem: Problem, seed: int, outputs: dict[str, Tensor], layout: str
    ) -> dict[str, NDArray[Any]]:
        """The part of a kernel's ``outputs`` that ``expected`` speaks of, as float32 or float64.

        Raises WrongOutput where one is missing, has another shape or dtype than the problem's, or
        isn't finite anywhere, outside the sample too.
        """
        dtype = TORCH_DTYPES[problem.dtype]
        judged, selected = self.judged(problem, self.heads(problem, seed)), {}
        for name, shape in self.output_shapes(problem).items():
            tensor = checked(outputs, name, native_shape(shape, layout), dtype, layout)
            if name in judged:
                view = as_bhsd(tensor, layout)
                selected[name] = numbers(torch.stack([view[at] for at in judged[name]]))
        return selected


def _state_updates(p: Problem) -> float:
    return max(p.seq_q, p.seq_k) * p.head_dim_qk * p.head_dim_v


def _grad_out() -> Input:
    return Input("grad_out", "v")


def _neighbourhood(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """[heads, rows] RMS of the rows up to NEIGHBOURS away: a small row's error isn't small."""
    power = np.square(rows).mean(-1)
    length = power.shape[1]
    sums = np.concatenate([np.zeros_like(power[:, :1]), power.cumsum(1)], 1)
    at = np.arange(length)
    low, high = np.maximum(at - NEIGHBOURS, 0), np.minimum(at + NEIGHBOURS + 1, length)
    near = np.sqrt(np.maximum(sums[:, high] - sums[:, low], 0) / (high - low))
    return np.asarray(np.maximum(near, ROW_FLOOR * np.sqrt(power.mean())))
