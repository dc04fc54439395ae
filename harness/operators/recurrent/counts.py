"""Validation, FLOPs and bytes of a recurrent operator, from its inputs and one step's operations.

FLOPs are those of the recurrence as its paper writes it, a multiple of head_dim_qk · head_dim_v a
token and head (FIELD.md §2): one figure a problem, though chunked forms do more arithmetic.
Backward: every operation has two in the gradient, and the states are computed again from the
inputs rather than kept, so 3 · forward less the products that only read the state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.errors import InvalidProblem
from harness.model import Problem

DTYPES = ("fp64", "fp32", "fp16", "bf16")
READ = 2
"""FLOPs over head_dim_qk · head_dim_v of reading the state with a query: a product and a sum."""
STATE_BYTES = 4
"""A state is kept in fp32 between tokens, whatever the inputs' type."""

_UNKNOWN = {
    "cache": "its state takes the place of a cache",
    "page_size": "there is no cache to page",
    "pattern": "a recurrence sees every token up to its own",
    "window_left": "a recurrence sees every token up to its own",
    "window_right": "a recurrence sees every token up to its own",
    "lengths": "every sequence of a batch is full",
    "lengths_seed": "every sequence of a batch is full",
    "kv_dtype": "all of its inputs have one type",
    "softcap": "it computes none",
    "sinks": "it computes none",
    "params": "it takes none",
}


@dataclass(frozen=True)
class Input:
    """One input tensor of an operator: [batch, heads, rows, dim], or [heads, dim] for a weight."""

    name: str
    """Its key in the inputs; its gradient is d<name>."""
    dim: str
    """``qk`` or ``v``: that head dim; ``one``: a number a token and head."""
    heads: str = "q"
    """``q`` or ``kv``: how many heads it has."""
    rows: str = "q"
    """``q`` or ``k``: a row for each of those tokens; ``weight``: the same for every token."""
    trained: bool = True
    """Its gradient is taken."""

    def shape(self, p: Problem) -> tuple[int, int, int, int]:
        """[batch, heads, rows, dim] of the values; a weight is drawn as one row of one sequence."""
        dim = {"qk": p.head_dim_qk, "v": p.head_dim_v, "one": 1}[self.dim]
        heads = p.heads_q if self.heads == "q" else p.heads_kv
        if self.rows == "weight":
            return (1, heads, 1, dim)
        return (p.batch, heads, p.seq_q if self.rows == "q" else p.seq_k, dim)


@dataclass(frozen=True)
class Counts:
    """The functions of ``CostModel`` for one recurrent operator."""

    operator: str
    """Its name."""
    inputs: tuple[Input, ...]
    """Its inputs, in canonical order."""
    step: int
    """FLOPs of one token of one head over head_dim_qk · head_dim_v, reading included."""
    causal_only: bool = True
    """It has no form that looks ahead."""
    shared_heads: bool = False
    """Several query heads may share one key/value head."""
    scaled: bool = True
    """``scale`` means something to it."""
    square: bool = False
    """Its state is square: both head dims are the same."""
    version: int = 1
    """Of the formulas: changed with them."""

    STATEFUL: ClassVar[bool] = True
    """``kv_cache_bytes`` is of a state, not of a cache."""

    @property
    def MODEL(self) -> str:
        """Name and version of the formulas."""
        return f"{self.operator}/{self.version}"

    def validate(self, p: Problem) -> None:
        """Raise InvalidProblem for what the operator can't mean, naming the field and its value."""
        for name, why in _UNKNOWN.items():
            value = getattr(p, name)
            if value or (value == 0 and value is not False and name.startswith("window")):
                raise self._refused(f"doesn't take {name}={value!r}: {why}")
        if p.dtype not in DTYPES:
            raise self._refused(
                f"has no rule of correctness for dtype={p.dtype!r}; it takes {', '.join(DTYPES)}"
            )
        if self.causal_only and not p.causal:
            raise self._refused("is causal by nature: set causal=true")
        if p.causal and p.seq_q != p.seq_k:
            raise self._refused(
                f"takes every token once, so seq_q={p.seq_q} must equal seq_k={p.seq_k}"
            )
        if p.group != 1 and not self.shared_heads:
            raise self._refused(
                f"has a state for every head: heads_kv={p.heads_kv} must equal heads_q={p.heads_q}"
            )
        if self.square and p.head_dim_qk != p.head_dim_v:
            raise self._refused(
                f"has a square state: head_dim_v={p.head_dim_v} must equal head_dim={p.head_dim_qk}"
            )
        if p.scale is not None and not self.scaled:
            raise self._refused(f"doesn't take scale={p.scale}: its output has no scale")
        if p.direction != "forward" and p.seq_k < 2:
            raise self._refused(
                f"has no direction={p.direction} on one token: some gradients there are nothing "
                "but rounding; use two tokens or more"
            )

    def _refused(self, why: str) -> InvalidProblem:
        return InvalidProblem(f"operator {self.operator} {why}")

    def flops(self, p: Problem) -> int:
        """``step`` · dk · dv a token and head: the update for each key, the reading for each query.

        Backward: twice that, and the updates once more.
        """
        update, read = (self.step - READ) * p.seq_k, READ * p.seq_q
        times = {"forward": (1, 1), "backward": (3, 2), "forward_backward": (4, 3)}[p.direction]
        per_head = (times[0] * update + times[1] * read) * p.head_dim_qk * p.head_dim_v
        return p.batch * p.heads_q * per_head

    def min_bytes(self, p: Problem) -> int:
        """Every input read and every output written once.

        backward: inputs and dO read, gradients written. The state starts at zero and isn't asked
        for at the end, so it never has to leave the chip.
        """
        sizes = {i.name: _elements(i.shape(p)) for i in self.inputs}
        out = p.batch * p.heads_q * p.seq_q * p.head_dim_v
        grads = sum(sizes[i.name] for i in self.inputs if i.trained)
        elements = 0
        if p.direction != "backward":
            elements += sum(sizes.values()) + out
        if p.direction != "forward":
            elements += sum(sizes.values()) + out + grads
        return elements * p.element_bytes

    def kv_cache_bytes(self, p: Problem) -> int:
        """Bytes of the fp32 states that stand in for a KV cache: the same at every length."""
        return p.batch * p.heads_q * p.head_dim_qk * p.head_dim_v * STATE_BYTES

    def visible_pairs(self, p: Problem) -> int:
        """(query, key) pairs of one head that depend on each other, though none is computed."""
        return p.seq_q * (p.seq_q + 1) // 2 if p.causal else p.seq_q * p.seq_k


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
