"""A recurrence run one token after the other, differentiable in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

Step = Callable[[Tensor, dict[str, Tensor]], tuple[Tensor, Tensor]]
"""(state, the token's inputs [heads, dim]) → (new state, output [heads, dim])."""

BLOCK = 64
"""Tokens between two states that a backward pass keeps; those inside are computed again."""


def scan(step: Step, state: Tensor, x: dict[str, Tensor]) -> Tensor:
    """Outputs [heads, tokens, dim] of ``step`` over the tokens of ``x``: name → [heads, tokens, …].

    Where gradients are wanted, only every BLOCK-th state is kept: all of them would be
    tokens · dk · dv numbers a head.
    """
    names = list(x)

    def block(state: Tensor, *pieces: Tensor) -> tuple[Tensor, Tensor]:
        outs = []
        for token in zip(*(p.unbind(1) for p in pieces), strict=True):
            state, out = step(state, dict(zip(names, token, strict=True)))
            outs.append(out)
        return state, torch.stack(outs, 1)

    wanted = torch.is_grad_enabled() and any(t.requires_grad for t in x.values())
    outs = []
    # split and unbind, not slices: a slice's gradient is as large as what it was cut from
    for pieces in zip(*(t.split(BLOCK, 1) for t in x.values()), strict=True):
        if wanted:
            state, out = checkpoint(block, state, *pieces, use_reentrant=False)
        else:
            state, out = block(state, *pieces)
        outs.append(out)
    return torch.cat(outs, 1)


@contextmanager
def one_thread() -> Iterator[None]:
    """torch's operations in this thread alone: a token's are too small to be shared.

    Beside any other work on the machine, the threads' meeting after each of thousands of small
    operations made an oracle nine times slower (GLA, 256 tokens, 2 cores) than one thread is.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def read(state: Tensor, query: Tensor) -> Tensor:
    """queryᵀ · state: [heads, dk] and [heads, dk, dv] → [heads, dv]."""
    return (query.unsqueeze(-2) @ state).squeeze(-2)


def outer(key: Tensor, value: Tensor) -> Tensor:
    """key · valueᵀ: [heads, dk] and [heads, dv] → [heads, dk, dv]."""
    return key.unsqueeze(-1) * value.unsqueeze(-2)
