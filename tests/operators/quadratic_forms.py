"""Each recurrent operator once more, by another road: the matrix that its outputs are linear in.

Every form takes the inputs in fp64, [B, H, S, D], and gives out [B, H, S, Dv]. None steps through
the tokens with a state, as the oracles do.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import elu

from harness.model import Problem

Form = Callable[[dict[str, Tensor], Problem], Tensor]


def linear_attention(x: dict[str, Tensor], p: Problem) -> Tensor:
    """Normalised φ(q)·φ(k), as equation 3 of arXiv 2006.16236."""
    a = (elu(x["q"]) + 1) @ (elu(x["k"]) + 1).mT
    a = a.tril() if p.causal else a
    return a @ x["v"] / a.sum(-1, keepdim=True)


FORMS: dict[str, Form] = {"linear_attention": linear_attention}
